"""Subnets: IPv4, none overlapping another, because the whole lab shares the host's routing table."""

from ipaddress import IPv4Network

from kilonova.lab.networks import addresses, errors, ports, quotas
from kilonova.lab.networks.networks import DHCP_OWNER
from kilonova.lab.networks.resources import FLAG, STANDARD, TEXT, TEXT_OR_NULL, UUID, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work, new_id

_POOL = {
    "type": "object",
    "properties": {"start": TEXT, "end": TEXT},
    "required": ["start", "end"],
    "additionalProperties": False,
}
_ROUTE = {
    "type": "object",
    "properties": {"destination": TEXT, "nexthop": TEXT},
    "required": ["destination", "nexthop"],
    "additionalProperties": False,
}
ATTRIBUTES = (
    *STANDARD,
    Attribute(name="network_id", schema=UUID, required=True, update=False),
    Attribute(name="ip_version", schema={"type": "integer", "enum": [4]}, default=4, update=False),
    Attribute(name="cidr", schema=TEXT, required=True, update=False),
    Attribute(name="gateway_ip", schema=TEXT_OR_NULL),
    Attribute(name="allocation_pools", schema={"type": "array", "items": _POOL, "maxItems": 32}),
    Attribute(name="enable_dhcp", schema=FLAG, default=True),
    Attribute(name="dns_nameservers", schema={"type": "array", "items": TEXT, "maxItems": 5}, default=[]),
    Attribute(name="host_routes", schema={"type": "array", "items": _ROUTE, "maxItems": 20}, default=[]),
    Attribute(name="subnetpool_id", schema={"type": "null"}, default=None, update=False),
)


def _make(work: Work, subnet: Document) -> Document:
    network = work.network(subnet["network_id"])
    if not work.caller.owns(network):
        raise errors.NetworkNotFound(id=network["id"])
    quotas.demand(work, "subnet", subnet["project_id"])
    cidr = addresses.parse_subnet(subnet["cidr"])
    subnet["cidr"] = str(cidr)
    _check_overlap(work, cidr)
    if "gateway_ip" not in subnet:
        subnet["gateway_ip"] = addresses.first_host(cidr)
    _check_details(cidr, subnet)
    pools = subnet.get("allocation_pools")
    if pools is None:
        subnet["allocation_pools"] = addresses.default_pools(cidr, subnet["gateway_ip"])
    else:
        subnet["allocation_pools"] = addresses.check_pools(cidr, pools, subnet["gateway_ip"])
    subnet |= {"ipv6_address_mode": None, "ipv6_ra_mode": None, "service_types": []}
    work.docs.insert("subnet", subnet)
    serve_dhcp(work, network)
    return subnet


def _check_overlap(work: Work, cidr: IPv4Network) -> None:
    for other in work.docs.select("subnet"):
        if cidr.overlaps(IPv4Network(other["cidr"])):
            reason = (
                f"Requested subnet with cidr: {cidr} for network: overlaps with another subnet "
                f"({other['cidr']}); all subnets of the lab share one routing table"
            )
            raise errors.InvalidInput(field="cidr", reason=reason)
    for used in work.host_networks():
        if cidr.overlaps(used):
            raise errors.InvalidInput(field="cidr", reason=f"{cidr} overlaps {used}, which this host uses itself")


def _check_details(cidr: IPv4Network, given: Document) -> None:
    gateway = given.get("gateway_ip")
    if gateway is not None:
        given["gateway_ip"] = str(addresses.parse_address("gateway_ip", gateway))
        addresses.check_gateway(cidr, given["gateway_ip"])
    servers = given.get("dns_nameservers", [])
    for server in servers:
        addresses.parse_address("dns_nameservers", server)
    if len(set(servers)) != len(servers):
        raise errors.InvalidInput(field="dns_nameservers", reason="an address is named twice")
    for route in given.get("host_routes", []):
        route["destination"] = str(addresses.parse_cidr("host_routes", route["destination"]))
        route["nexthop"] = str(addresses.parse_address("host_routes", route["nexthop"]))


def _change(work: Work, subnet: Document, changes: Document) -> Document:
    cidr = IPv4Network(subnet["cidr"])
    _check_details(cidr, changes)
    gateway: str | None = changes.get("gateway_ip", subnet["gateway_ip"])
    if gateway != subnet["gateway_ip"] and subnet["gateway_ip"] is not None:
        holder = work.docs.holder(subnet["id"], subnet["gateway_ip"])
        port = work.docs.get("port", holder) if holder else None
        if port is not None and port["device_owner"] == ports.ROUTER_INTERFACE:
            raise errors.GatewayIpInUse(ip_address=subnet["gateway_ip"], port_id=port["id"])
    if "allocation_pools" in changes or "gateway_ip" in changes:
        pools: list[addresses.Pool] = changes.get("allocation_pools") or subnet["allocation_pools"]
        changes["allocation_pools"] = addresses.check_pools(cidr, pools, gateway)
    subnet.update(changes)
    work.docs.save("subnet", subnet)
    if "enable_dhcp" in changes:
        serve_dhcp(work, work.must("network", subnet["network_id"]))
    return subnet


def _remove(work: Work, subnet: Document) -> None:
    users = work.docs.select("port", ids=work.docs.users(subnet["id"]))
    if any(port["device_owner"] != DHCP_OWNER for port in users):
        raise errors.SubnetInUse(subnet_id=subnet["id"])
    work.docs.delete("subnet", subnet["id"])
    serve_dhcp(work, work.must("network", subnet["network_id"]))


def serve_dhcp(work: Work, network: Document) -> None:
    """Make the network's DHCP port fit its subnets: one port with an address in each that wants DHCP."""
    wanted = [s for s in work.docs.select("subnet", parents=[network["id"]]) if s["enable_dhcp"]]
    owned = [p for p in work.docs.select("port", parents=[network["id"]]) if p["device_owner"] == DHCP_OWNER]
    port = owned[0] if owned else None
    if port is not None and not wanted:
        work.docs.delete("port", port["id"])
        return
    if not wanted:
        return
    if port is None:
        ports.make_inner(work, network, DHCP_OWNER, f"dhcp-{new_id()}", [{"subnet_id": s["id"]} for s in wanted])
        return
    known = {entry["subnet_id"]: entry for entry in port["fixed_ips"]}
    entries = [known.get(s["id"], {"subnet_id": s["id"]}) for s in wanted]
    if entries != port["fixed_ips"]:
        ports.readdress(work, port, entries)
        work.docs.save("port", port)


def _visible(work: Work, subnets: list[Document]) -> list[Document]:
    if work.caller.privileged:
        return subnets
    networks = {n["id"]: n for n in work.docs.select("network", ids={s["network_id"] for s in subnets})}
    return [s for s in subnets if work.caller.owns(s) or networks[s["network_id"]]["shared"]]


RESOURCE = Resource(
    kind="subnet",
    plural="subnets",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
    visible=_visible,
)
