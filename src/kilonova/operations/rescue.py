"""Rescuing: the guest boots from another image, with its own disks beside, so that its user can repair them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kilonova.domain import server as states
from kilonova.kit import codec
from kilonova.operations.guests import image_facts, image_row, specification
from kilonova.operations.power import on_host, shutdown_timeout
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True, kw_only=True)
class Rescue:
    """The command."""

    admin_pass: str | None = None
    image: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the rescue image, as rows keep those of a server's own."""
    chosen: bool = False
    """The user asked for that image: the host's own does not come into it."""


def run(work: Work, command: Rescue) -> Outcome:
    """Running from the rescue image. A running guest is asked first: its disks are to be repaired, not damaged."""
    server = work.server()
    if server["vm_state"] == states.ACTIVE and server["host"]:
        stop = {"uuid": work.uuid, "timeout": shutdown_timeout(work, server)}
        work.step("power_off", lambda: work.tools.hosts.ask(server["host"], "stop", stop, operation=work.id))
    spec = specification(work, server, admin_pass=command.admin_pass)
    image = command.image if command.chosen or not server["host"] else _of_host(work, server["host"], command.image)
    arguments = {"spec": spec, "image": codec.pack(image_facts(image))}
    return on_host(work, "rescue", arguments, states.RESCUED)


def _of_host(work: Work, host: str, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts of the image that the host has for this, if any; else the server's own."""

    def find() -> dict[str, Any] | None:
        image_id = work.tools.hosts.ask(host, "rescue_image", {"uuid": work.uuid}, operation=f"{work.id}:image")
        return image_row(work.tools.images.get(None, image_id)) if image_id else None

    found: dict[str, Any] | None = work.step("image", find, host=host)
    return found or own
