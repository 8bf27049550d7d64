"""``/os-volumes_boot``: another name of ``/servers``, from the time when booting from a volume was an extension."""

from collections.abc import Iterable
from dataclasses import replace

from kilonova.kit.http.endpoint import Endpoint

_UNTIL = (2, 102)
_SERVERS = "/servers"
_PATHS = frozenset({"/servers", "/servers/detail", "/servers/{server_id}", "/servers/{server_id}/action"})
_ACTIONS = frozenset(
    {
        None,
        "confirmResize",
        "revertResize",
        "reboot",
        "resize",
        "rebuild",
        "createImage",
        "os-start",
        "os-stop",
        "trigger_crash_dump",
    }
)


def aliases(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The servers' routes below their other name."""
    return [
        replace(
            endpoint, path="/os-volumes_boot" + endpoint.path.removeprefix(_SERVERS), until=endpoint.until or _UNTIL
        )
        for endpoint in endpoints
        if endpoint.path in _PATHS and endpoint.action in _ACTIONS
    ]
