"""A server's ports while it is built and deleted: made and bound in Neutron, and given back."""

from typing import Any

from kilonova.clients.neutron.facts import NetworkRequest, PortFacts, PortOwner
from kilonova.kit import codec
from kilonova.operations.work import Row, Work


def plug(work: Work, server: Row, host: str, zone: str, attempt: int) -> list[dict[str, Any]]:
    """The server's NICs, bound to ``host``; an empty list when it asked for none."""
    wanted = codec.loads(server["networks"])
    if not wanted:
        return []
    name = "ports" if attempt == 0 else f"ports-{attempt}"

    requests = [codec.unpack(request, NetworkRequest) for request in wanted]
    owner = PortOwner(server_id=work.uuid, project_id=server["project_id"], availability_zone=zone)
    groups = [group["id"] for group in codec.loads(server["security_groups"]) if group.get("id")]

    def allocate() -> Any:
        found = work.tools.networks.allocate(owner, requests, host=host, security_groups=groups)
        return [nic(port) for port in found]

    nics: list[dict[str, Any]] = work.step(name, allocate, undo=lambda: release(work, server))
    return nics


def nic(port: PortFacts) -> dict[str, Any]:
    """A port as ``hypervisor.contracts.Nic`` packed, with what the API and a later look at Neutron want besides."""
    return {
        "port_id": port.id,
        "mac": port.mac,
        "network_id": port.network_id,
        "label": port.network_name,
        "vif_type": port.vif_type,
        "devname": port.devname,
        "bridge": port.bridge,
        "mtu": port.mtu,
        "vnic_type": port.vnic_type,
        "details": dict(port.vif_details),
        "tag": port.tag,
        "created": port.created,
        "fixed_ips": [codec.pack(fixed) for fixed in port.fixed_ips],
    }


def release(work: Work, server: Row) -> None:
    """Delete the ports made for the server, give back the ones it was given."""
    if codec.loads(server["networks"]):
        work.tools.networks.release(server["uuid"])
