"""Giving a server one more NIC: a port made or taken in Neutron, bound to its host and plugged into the guest."""

from dataclasses import dataclass
from typing import Any

from kilonova.clients.neutron.facts import NetworkRequest, PortOwner
from kilonova.domain import server as states
from kilonova.kit import codec
from kilonova.operations import ports
from kilonova.operations.guests import network_columns, specification
from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Row, Work


@dataclass(frozen=True)
class AttachInterface:
    """The command."""

    request: NetworkRequest


def run(work: Work, command: AttachInterface) -> Outcome:
    """The new NIC is the last one; what fails leaves the server as it was."""
    server = work.server()
    host = server["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    before = codec.loads(server["network_info"])
    new = _port(work, server, command.request, [entry["port_id"] for entry in before])
    nics = [*before, new]
    _plug(work, {**server, **network_columns(nics)}, host, new)
    if server["vm_state"] != states.STOPPED:
        nics = ports.await_active(work, server, nics, 0, only=[new["port_id"]])
    return Outcome(values=network_columns(nics), aside=True)


def _port(work: Work, server: Row, request: NetworkRequest, taken: list[str]) -> dict[str, Any]:
    owner = PortOwner(
        server_id=work.uuid, project_id=server["project_id"], availability_zone=server["availability_zone"] or ""
    )

    def allocate() -> Any:
        (port,) = work.tools.networks.allocate(owner, [request], host=server["host"], taken=taken)
        return ports.nic(port)

    found: dict[str, Any] = work.step("ports", allocate, undo=lambda: ports.release_others(work, taken))
    return found


def _plug(work: Work, server: Row, host: str, new: dict[str, Any]) -> None:
    arguments = {"spec": specification(work, server), "nic": new}
    work.step(
        "host",
        lambda: work.tools.hosts.ask(host, "attach_nic", arguments, operation=work.id),
        undo=lambda: ports.unplug(work, host, new, revokes=work.id),
        host=host,
    )
