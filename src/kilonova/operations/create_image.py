"""Making an image of a server's root disk. The image record exists from the accept on; its data is uploaded here."""

from dataclasses import dataclass

from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True)
class CreateImage:
    """The command."""

    image_id: str


def run(work: Work, command: CreateImage) -> Outcome:
    """The image is active, or deleted again when that failed."""
    server = work.server()
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    arguments = {"uuid": work.uuid, "image_id": command.image_id}
    work.step(
        "host",
        lambda: work.tools.hosts.ask(host, "snapshot", arguments, operation=work.id),
        undo=lambda: work.tools.images.delete(None, command.image_id),
        host=host,
        announce=True,
    )
    return Outcome()
