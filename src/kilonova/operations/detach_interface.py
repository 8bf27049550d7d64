"""Taking a NIC from a server: out of the guest first, then given back to Neutron. Repeating it finishes what failed."""

from dataclasses import dataclass

from kilonova.kit import codec
from kilonova.operations import ports
from kilonova.operations.guests import network_columns
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True)
class DetachInterface:
    """The command."""

    port_id: str


def run(work: Work, command: DetachInterface) -> Outcome:
    """Without undo: a guest that has let go of a NIC is better off than one that gets it back."""
    server = work.server()
    nics = codec.loads(server["network_info"])
    for entry in nics:
        if entry["port_id"] == command.port_id and server["host"]:
            work.step("host", lambda: ports.unplug(work, server["host"], entry), host=server["host"])  # noqa: B023  # called at once
    work.step("ports", lambda: work.tools.networks.release(work.uuid, [command.port_id]))
    left = [entry for entry in nics if entry["port_id"] != command.port_id]
    return Outcome(values=network_columns(left), aside=True)
