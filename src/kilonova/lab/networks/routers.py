"""Routers: what joins networks. In the lab the host itself routes; a router says between which bridges it may."""

from ipaddress import IPv4Network
from typing import Any

from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.networks import errors, ports, quotas
from kilonova.lab.networks.networks import AVAILABILITY_ZONE
from kilonova.lab.networks.ports import ROUTER_GATEWAY, ROUTER_INTERFACE
from kilonova.lab.networks.resources import FLAG, STANDARD, TEXT, UUID, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work

_ADDRESS = {
    "type": "object",
    "properties": {"subnet_id": UUID, "ip_address": TEXT},
    "additionalProperties": False,
    "minProperties": 1,
}
_GATEWAY = {
    "type": ["object", "null"],
    "properties": {
        "network_id": UUID,
        "enable_snat": FLAG,
        "external_fixed_ips": {"type": "array", "items": _ADDRESS, "maxItems": 1},
    },
    "additionalProperties": False,
}
ATTRIBUTES = (
    *STANDARD,
    Attribute(name="admin_state_up", schema=FLAG, default=True),
    Attribute(name="external_gateway_info", schema=_GATEWAY, default=None),
    Attribute(
        name="availability_zone_hints",
        schema={"type": "array", "items": {"enum": [AVAILABILITY_ZONE]}, "maxItems": 10},
        default=[],
        update=False,
    ),
)
INTERFACE = Schema(
    Object((Field(name="subnet_id", schema=UUID), Field(name="port_id", schema=UUID)), rules={"minProperties": 1}),
    where="router interface",
)


def _make(work: Work, router: Document) -> Document:
    quotas.demand(work, "router", router["project_id"])
    wanted = router["external_gateway_info"]
    router |= {
        "status": "ACTIVE",
        "external_gateway_info": None,
        "availability_zones": [AVAILABILITY_ZONE],
        "routes": [],
        "flavor_id": None,
    }
    if wanted:
        router["external_gateway_info"] = _plug_gateway(work, router, wanted)
    return work.docs.insert("router", router)


def _change(work: Work, router: Document, changes: Document) -> Document:
    if "external_gateway_info" in changes:
        wanted = changes.pop("external_gateway_info")
        _set_gateway(work, router, wanted or None)
    router.update(changes)
    return work.docs.save("router", router)


def _set_gateway(work: Work, router: Document, wanted: Document | None) -> None:
    info = router["external_gateway_info"]
    if info and wanted and wanted.get("network_id", info["network_id"]) == info["network_id"]:
        if "external_fixed_ips" not in wanted:
            info["enable_snat"] = wanted.get("enable_snat", info["enable_snat"])
            return
        wanted = {"network_id": info["network_id"], **wanted}
    elif info:
        _free_of_floating(work, router, info)
    for port in _ports(work, router, ROUTER_GATEWAY):
        ports.remove_inner(work, port)
    router["external_gateway_info"] = _plug_gateway(work, router, wanted) if wanted else None


def _free_of_floating(work: Work, router: Document, info: Document) -> None:
    for floating in work.docs.select("floatingip"):
        if floating["router_id"] == router["id"] and floating["floating_network_id"] == info["network_id"]:
            raise errors.RouterExternalGatewayInUseByFloatingIp(router_id=router["id"])


def _plug_gateway(work: Work, router: Document, wanted: Document) -> Document:
    if "network_id" not in wanted:
        raise errors.InvalidInput(field="external_gateway_info", reason="network_id is missing")
    network = work.network(wanted["network_id"])
    if not network["router:external"]:
        raise errors.BadRequest(resource="router", reason=f"Network {network['id']} is not an external network")
    port = ports.make_inner(work, network, ROUTER_GATEWAY, router["id"], wanted.get("external_fixed_ips"))
    return {
        "network_id": network["id"],
        "enable_snat": wanted.get("enable_snat", True),
        "external_fixed_ips": port["fixed_ips"],
    }


def _ports(work: Work, router: Document, owner: str) -> list[Document]:
    return [p for p in work.docs.select("port", devices=[router["id"]]) if p["device_owner"] == owner]


def _remove(work: Work, router: Document) -> None:
    if _ports(work, router, ROUTER_INTERFACE):
        raise errors.RouterInUse(router_id=router["id"])
    for port in _ports(work, router, ROUTER_GATEWAY):
        ports.remove_inner(work, port)
    work.docs.delete("router", router["id"])


def add_interface(work: Work, router: Document, given: Any) -> Document:
    """Attach a subnet (at its gateway address) or a port. Raises BadRequest, IpAddressInUse, PortInUse …"""
    INTERFACE.validate(given, (0, 0))
    _writer(work, "add_router_interface")
    if "subnet_id" in given and "port_id" in given:
        raise errors.BadRequest(resource="router", reason="Cannot specify both subnet-id and port-id")
    port = _port_for_subnet(work, router, given["subnet_id"]) if "subnet_id" in given else None
    if port is None:
        port = _adopt(work, router, given["port_id"])
    work.docs.save("router", router)
    return _answer(router, port)


def _port_for_subnet(work: Work, router: Document, subnet_id: str) -> Document:
    subnet = work.must("subnet", subnet_id)
    network = work.network(subnet["network_id"])
    if not (work.caller.owns(network) or network["shared"]):
        raise errors.SubnetNotFound(id=subnet_id)
    if subnet["gateway_ip"] is None:
        raise errors.BadRequest(resource="router", reason=f"Subnet {subnet_id} must have a gateway IP")
    _check_new(work, router, subnet)
    holder = work.docs.holder(subnet["id"], subnet["gateway_ip"])
    if holder is not None:
        raise errors.IpAddressInUse(network_id=network["id"], ip_address=subnet["gateway_ip"])
    wanted = [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
    return ports.make_inner(work, network, ROUTER_INTERFACE, router["id"], wanted)


def _adopt(work: Work, router: Document, port_id: str) -> Document:
    port = work.own("port", port_id)
    if port["device_id"]:
        raise errors.PortInUse(port_id=port_id, device_id=port["device_id"])
    if not port["fixed_ips"]:
        raise errors.BadRequest(resource="router", reason="Cannot attach a port that has no fixed IP address")
    for entry in port["fixed_ips"]:
        _check_new(work, router, work.must("subnet", entry["subnet_id"]))
    port |= {
        "device_owner": ROUTER_INTERFACE,
        "device_id": router["id"],
        "security_groups": [],
        "port_security_enabled": False,
        "allowed_address_pairs": [],
    }
    return work.docs.save("port", port)


def _check_new(work: Work, router: Document, subnet: Document) -> None:
    for port in _ports(work, router, ROUTER_INTERFACE):
        for entry in port["fixed_ips"]:
            if entry["subnet_id"] == subnet["id"]:
                raise errors.BadRequest(resource="router", reason=f"Router already has a port on subnet {subnet['id']}")


def remove_interface(work: Work, router: Document, given: Any) -> Document:
    """Detach by subnet or port. Raises RouterInterfaceNotFound…, RouterInterfaceInUseByFloatingIP."""
    INTERFACE.validate(given, (0, 0))
    _writer(work, "remove_router_interface")
    port = _interface(work, router, given)
    for floating in work.docs.select("floatingip"):
        if floating["router_id"] == router["id"] and _leads_through(port, work, floating):
            subnet_id = port["fixed_ips"][0]["subnet_id"]
            raise errors.RouterInterfaceInUseByFloatingIP(router_id=router["id"], subnet_id=subnet_id)
    answer = _answer(router, port)
    ports.remove_inner(work, port)
    work.docs.save("router", router)
    return answer


def _interface(work: Work, router: Document, given: Document) -> Document:
    for port in _ports(work, router, ROUTER_INTERFACE):
        subnets = {entry["subnet_id"] for entry in port["fixed_ips"]}
        if given.get("port_id", port["id"]) == port["id"] and given.get("subnet_id", next(iter(subnets))) in subnets:
            return port
    if "port_id" in given:
        raise errors.RouterInterfaceNotFound(router_id=router["id"], port_id=given["port_id"])
    raise errors.RouterInterfaceNotFoundForSubnet(router_id=router["id"], subnet_id=given["subnet_id"])


def _leads_through(port: Document, work: Work, floating: Document) -> bool:
    for entry in port["fixed_ips"]:
        subnet = work.must("subnet", entry["subnet_id"])
        address = floating["fixed_ip_address"]
        if address is not None and IPv4Network(subnet["cidr"]).overlaps(IPv4Network(address)):
            return True
    return False


def _answer(router: Document, port: Document) -> Document:
    return {
        "id": router["id"],
        "tenant_id": router["project_id"],
        "project_id": router["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": port["fixed_ips"][0]["subnet_id"],
        "subnet_ids": [entry["subnet_id"] for entry in port["fixed_ips"]],
        "tags": [],
    }


def _writer(work: Work, action: str) -> None:
    if not work.caller.writer:
        raise errors.PolicyNotAuthorized(action=f"rule:{action}")


def leading_from(work: Work, subnet_id: str, external_network_id: str) -> Document | None:
    """The router that joins the subnet with the external network."""
    for port_id in sorted(work.docs.users(subnet_id)):
        port = work.must("port", port_id)
        if port["device_owner"] != ROUTER_INTERFACE:
            continue
        router = work.docs.get("router", port["device_id"])
        info = router["external_gateway_info"] if router else None
        if router is not None and info and info["network_id"] == external_network_id:
            return router
    return None


RESOURCE = Resource(
    kind="router",
    plural="routers",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
)
