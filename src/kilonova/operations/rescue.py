"""Rescuing: the guest boots from another image, with its own disks beside, so that its user can repair them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kilonova.domain import server as states
from kilonova.kit import codec
from kilonova.operations.guests import image_facts, specification
from kilonova.operations.power import on_host, shutdown_timeout
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True, kw_only=True)
class Rescue:
    """The command."""

    admin_pass: str | None = None
    image: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the rescue image, as rows keep those of a server's own."""


def run(work: Work, command: Rescue) -> Outcome:
    """Running from the rescue image. A running guest is asked first: its disks are to be repaired, not damaged."""
    server = work.server()
    if server["vm_state"] == states.ACTIVE and server["host"]:
        stop = {"uuid": work.uuid, "timeout": shutdown_timeout(work, server)}
        work.step("power_off", lambda: work.tools.hosts.ask(server["host"], "stop", stop, operation=work.id))
    spec = specification(work, server, admin_pass=command.admin_pass)
    arguments = {"spec": spec, "image": codec.pack(image_facts(command.image))}
    return on_host(work, "rescue", arguments, states.RESCUED)
