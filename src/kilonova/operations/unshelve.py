"""Back from the shelf: started where it is, or built anew from its image on a host that is chosen again."""

from dataclasses import dataclass
from typing import Any

from kilonova.domain import server as states
from kilonova.kit import codec
from kilonova.operations import build, ports
from kilonova.operations.delete import forget_image
from kilonova.operations.guests import image_row
from kilonova.operations.power import spec_of
from kilonova.operations.work import Outcome, Row, Work


@dataclass(frozen=True, kw_only=True)
class Unshelve:
    """The command."""

    zone: str | None = None
    """Where it must go; None: anywhere."""
    host: str | None = None


def run(work: Work, command: Unshelve) -> Outcome:
    """Running; the shelf's image is gone. One that could not be brought back stays on the shelf."""
    server = work.server()
    image_id = server["shelved_image"]
    outcome = _start(work, server) if server["vm_state"] == states.SHELVED else _build(work, server, image_id, command)
    if image_id:
        work.step("image", lambda: forget_image(work, image_id))
    values = {**outcome.values, "shelved_at": None, "shelved_image": None}
    return Outcome(vm_state=states.ACTIVE, values=values)


def _start(work: Work, server: Row) -> Outcome:
    # Hard, because a guest that was shelved while suspended is not off.
    arguments = {"spec": spec_of(work, server), "hard": True, "timeout": 0}
    host = server["host"]
    state = work.step(
        "host", lambda: work.tools.hosts.ask(host, "reboot", arguments, operation=work.id), host=host, announce=True
    )
    return Outcome(values={"power_state": state["power"], "launched_at": work.now()})


def _build(work: Work, server: Row, image_id: str | None, command: Unshelve) -> Outcome:
    with_image = server
    if image_id:
        with_image = {**server, "image": codec.text(_shelf(work, image_id))}
    group = codec.loads(server["hints"]).get("group")
    where = build.Build(zone=command.zone, host=command.host, group=group)
    return build.place(work, with_image, where, ports.rebind)


def _shelf(work: Work, image_id: str) -> Any:
    return work.step("shelf", lambda: image_row(work.tools.images.get(None, image_id)))
