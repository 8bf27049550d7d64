"""What the power verbs share: one call on the server's host, and the power state it reports."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit import codec
from kilonova.kit.errors import Conflict
from kilonova.operations.guests import specification
from kilonova.operations.work import Outcome, Row, Work


class NotOnHost(Conflict):
    """The server has no host, so there is no guest to act on."""

    template = "Instance {uuid} is not on any host"


def on_host(work: Work, call: str, arguments: Mapping[str, Any], vm_state: str) -> Outcome:
    """Ask the host and record the state reached."""
    server = work.server()
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)

    def ask() -> Any:
        return work.tools.hosts.ask(host, call, arguments, operation=work.id)

    state = work.step("host", ask, host=host, announce=True)
    return Outcome(vm_state=vm_state, values={"power_state": state["power"]})


def spec_of(work: Work, server: Row | None = None) -> dict[str, Any]:
    """The guest's specification as its row says."""
    return specification(work, server or work.server())


def shutdown_timeout(work: Work, server: Row) -> int:
    """Seconds a guest has for its own shutdown: image property ``os_shutdown_timeout``, else the option."""
    image = codec.loads(server["image"]) if server["image"] else {}
    text = str(image.get("properties", {}).get("os_shutdown_timeout", ""))
    fallback: int = work.tools.options.shutdown_timeout
    return int(text) if text.isdigit() else fallback
