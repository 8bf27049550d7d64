"""Changes of a server's ports that old versions of the Compute API make for the user."""

from collections.abc import Sequence

from kilonova.clients.keystone.errors import RemoteConflict
from kilonova.clients.neutron import contract as errors
from kilonova.clients.neutron.api import NetworkApi, Row
from kilonova.kit.context import Context

_POOL_EMPTY = "IpAddressGenerationFailure"


def add_fixed_ip(api: NetworkApi, server_id: str, network_id: str) -> None:
    """One more address, on the server's first port of the network. Raises NotOnNetwork, NoMoreAddresses."""
    ports = api.rows("ports", [("device_id", server_id), ("network_id", network_id)])
    if not ports:
        raise errors.NotOnNetwork(server_id=server_id, where=f"on network {network_id}")
    full: RemoteConflict | None = None
    for subnet in api.rows("subnets", [("network_id", network_id)]):
        wanted = [*ports[0]["fixed_ips"], {"subnet_id": subnet["id"]}]
        try:
            api.update("ports", ports[0]["id"], {"fixed_ips": wanted})
        except RemoteConflict as error:
            if error.fields["code"] != _POOL_EMPTY:
                raise
            full = error
        else:
            return
    raise errors.NoMoreAddresses(network_id=network_id) from full


def remove_fixed_ip(api: NetworkApi, server_id: str, address: str) -> None:
    """Take an address from the port that has it. Raises NotOnNetwork."""
    for port in api.rows("ports", [("device_id", server_id)]):
        left = [entry for entry in port["fixed_ips"] if entry["ip_address"] != address]
        if len(left) < len(port["fixed_ips"]):
            api.update("ports", port["id"], {"fixed_ips": left})
            return
    raise errors.NotOnNetwork(server_id=server_id, where=f"with address {address}")


def add_group(api: NetworkApi, server_id: str, group_id: str) -> None:
    """Put a security group on all ports of the server that can have one. Raises NotOnNetwork."""
    ports = [port for port in api.rows("ports", [("device_id", server_id)]) if _filtered(port)]
    if not ports:
        raise errors.NotOnNetwork(server_id=server_id, where="to which a security group can be applied")
    for port in ports:
        if group_id not in port["security_groups"]:
            api.update("ports", port["id"], {"security_groups": [*port["security_groups"], group_id]})


def remove_group(api: NetworkApi, server_id: str, group_id: str) -> None:
    """Take a security group from the server's ports. Raises GroupNotApplied."""
    ports = [p for p in api.rows("ports", [("device_id", server_id)]) if group_id in (p.get("security_groups") or ())]
    if not ports:
        raise errors.GroupNotApplied(server_id=server_id, name=group_id)
    for port in ports:
        left = [group for group in port["security_groups"] if group != group_id]
        api.update("ports", port["id"], {"security_groups": left})


def _filtered(port: Row) -> bool:
    return bool(port.get("port_security_enabled", True) and port.get("fixed_ips"))


def group_ids(
    api: NetworkApi, names: Sequence[str], project_id: str, context: Context | None = None
) -> tuple[str, ...]:
    """Names or ids of a project's security groups to ids. Raises SecurityGroupNotFound, SecurityGroupAmbiguous."""
    rows = api.rows("security_groups", [("project_id", project_id)], context)
    return tuple(dict.fromkeys(_group_id(rows, name, project_id) for name in names))


def _group_id(rows: Sequence[Row], name: str, project_id: str) -> str:
    by_id = [row["id"] for row in rows if row["id"] == name]
    found = by_id or [row["id"] for row in rows if row["name"] == name]
    if not found:
        raise errors.SecurityGroupNotFound(name=name, project_id=project_id)
    if len(found) > 1:
        raise errors.SecurityGroupAmbiguous(name=name)
    return str(found[0])
