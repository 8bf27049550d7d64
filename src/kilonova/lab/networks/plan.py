"""What the host should look like, computed from all documents. Pure: the same documents give the same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from kilonova.lab.networks import ports
from kilonova.lab.networks.binding import tap_name
from kilonova.lab.networks.networks import DHCP_OWNER, bridge_name

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Bridge:
    """A Linux bridge and the addresses the host has on it (``10.0.0.1/24``)."""

    name: str
    network_id: str
    mtu: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A subnet that DHCP serves."""

    subnet_id: str
    cidr: str
    server: str
    gateway: str | None
    dns: tuple[str, ...]
    routes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lease:
    """A guest that DHCP knows."""

    mac: str
    address: str
    name: str


@dataclass(frozen=True)
class Dhcp:
    """One DHCP and DNS server."""

    network_id: str
    bridge: str
    mtu: int
    ranges: tuple[Range, ...]
    leases: tuple[Lease, ...]


@dataclass(frozen=True)
class GuestPort:
    """A port of a guest. ``pairs``: further (MAC, address or cidr) that it may use."""

    port_id: str
    tap: str
    mac: str
    addresses: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    up: bool


@dataclass(frozen=True)
class Rule:
    """An IPv4 security group rule. ``remote``: cidr; ``remote_group``: a group's id."""

    incoming: bool
    protocol: str | None
    low: int | None
    high: int | None
    remote: str | None
    remote_group: str | None


@dataclass(frozen=True)
class Group:
    """A security group with its members' addresses."""

    id: str
    rules: tuple[Rule, ...]
    members: tuple[str, ...]


@dataclass(frozen=True)
class Router:
    """Joins bridges. ``outside``: the external bridge and the router's address there."""

    id: str
    inside: tuple[tuple[str, str], ...]
    """Bridge and cidr."""
    outside: tuple[str, str] | None
    snat: bool


@dataclass(frozen=True)
class Floating:
    """``address`` on ``bridge`` leads to ``fixed``."""

    address: str
    bridge: str
    fixed: str


@dataclass(frozen=True)
class HostPlan:
    """All of it."""

    bridges: tuple[Bridge, ...] = ()
    dhcp: tuple[Dhcp, ...] = ()
    ports: tuple[GuestPort, ...] = ()
    open_ports: tuple[str, ...] = ()
    """Addresses of guests without port security."""
    groups: tuple[Group, ...] = ()
    routers: tuple[Router, ...] = ()
    floatings: tuple[Floating, ...] = ()
    external: tuple[str, ...] = ()
    """Bridges of external networks."""
    metadata_port: int = 9697


class _View:
    """The documents, sorted out once."""

    def __init__(self, documents: Mapping[str, Sequence[Document]]) -> None:
        self.networks = list(documents.get("network", ()))
        self.subnets = {subnet["id"]: subnet for subnet in documents.get("subnet", ())}
        self.ports = list(documents.get("port", ()))
        self.routers = list(documents.get("router", ()))
        self.floatings = list(documents.get("floatingip", ()))
        self.groups = list(documents.get("security_group", ()))
        self.rules = list(documents.get("security_group_rule", ()))
        self.guests = [p for p in self.ports if not p["device_owner"].startswith("network:")]
        self.held = {(e["subnet_id"], e["ip_address"]) for p in self.ports for e in p["fixed_ips"]}

    def subnets_of(self, network_id: str) -> list[Document]:
        return [s for s in self.subnets.values() if s["network_id"] == network_id]

    def owned(self, owner: str) -> list[Document]:
        return [port for port in self.ports if port["device_owner"] == owner]

    def with_length(self, entry: Document) -> str:
        cidr = self.subnets[entry["subnet_id"]]["cidr"]
        return f"{entry['ip_address']}/{IPv4Network(cidr).prefixlen}"


def plan_of(documents: Mapping[str, Sequence[Document]], metadata_port: int) -> HostPlan:
    """The plan for these documents (by kind)."""
    view = _View(documents)
    return HostPlan(
        bridges=tuple(_bridge(view, network) for network in view.networks),
        dhcp=tuple(d for d in (_dhcp(view, network) for network in view.networks) if d.ranges),
        ports=tuple(_guest(port) for port in view.guests if port["port_security_enabled"]),
        open_ports=tuple(
            e["ip_address"] for p in view.guests if not p["port_security_enabled"] for e in p["fixed_ips"]
        ),
        groups=tuple(_group(view, group) for group in view.groups),
        routers=tuple(_router(view, router) for router in view.routers if router["admin_state_up"]),
        floatings=tuple(_floating(f) for f in view.floatings if f["fixed_ip_address"]),
        external=tuple(bridge_name(n["id"]) for n in view.networks if n["router:external"]),
        metadata_port=metadata_port,
    )


def _bridge(view: _View, network: Document) -> Bridge:
    """Gateways first: the first address is the one replies to redirected requests come from."""
    mine = [p for p in view.ports if p["network_id"] == network["id"]]
    found = [view.with_length(e) for p in mine if p["device_owner"] == ports.ROUTER_INTERFACE for e in p["fixed_ips"]]
    for subnet in view.subnets_of(network["id"]):
        gateway = subnet["gateway_ip"]
        free = gateway is not None and (subnet["id"], gateway) not in view.held
        # Nobody else is the gateway: the host answers, and guests that know no other route reach the metadata service.
        if free and (subnet["enable_dhcp"] or network["router:external"]):
            found.append(view.with_length({"subnet_id": subnet["id"], "ip_address": gateway}))
    found += [view.with_length(e) for p in mine if p["device_owner"] == DHCP_OWNER for e in p["fixed_ips"]]
    outer = [p for p in mine if p["device_owner"] == ports.ROUTER_GATEWAY]
    found += [f"{e['ip_address']}/32" for p in outer for e in p["fixed_ips"]]
    floating = [f for f in view.floatings if f["floating_network_id"] == network["id"] and f["fixed_ip_address"]]
    found += [f"{f['floating_ip_address']}/32" for f in floating]
    return Bridge(bridge_name(network["id"]), network["id"], network["mtu"], tuple(dict.fromkeys(found)))


def _dhcp(view: _View, network: Document) -> Dhcp:
    servers = {
        entry["subnet_id"]: entry["ip_address"]
        for port in view.owned(DHCP_OWNER)
        if port["network_id"] == network["id"]
        for entry in port["fixed_ips"]
    }
    served = [s for s in view.subnets_of(network["id"]) if s["id"] in servers]
    ranges = tuple(
        Range(
            subnet_id=subnet["id"],
            cidr=subnet["cidr"],
            server=servers[subnet["id"]],
            gateway=subnet["gateway_ip"],
            dns=tuple(subnet["dns_nameservers"]),
            routes=tuple((r["destination"], r["nexthop"]) for r in subnet["host_routes"]),
        )
        for subnet in served
    )
    leases = tuple(
        Lease(port["mac_address"], entry["ip_address"], _host_name(port, entry["ip_address"]))
        for port in view.guests
        if port["network_id"] == network["id"]
        for entry in port["fixed_ips"]
        if entry["subnet_id"] in servers
    )
    return Dhcp(network["id"], bridge_name(network["id"]), network["mtu"], ranges, leases)


def _host_name(port: Document, address: str) -> str:
    return port.get("dns_name") or f"host-{address.replace('.', '-')}"


def _guest(port: Document) -> GuestPort:
    return GuestPort(
        port_id=port["id"],
        tap=tap_name(port["id"]),
        mac=port["mac_address"],
        addresses=tuple(entry["ip_address"] for entry in port["fixed_ips"]),
        pairs=tuple((pair["mac_address"], pair["ip_address"]) for pair in port["allowed_address_pairs"]),
        groups=tuple(port["security_groups"]),
        up=port["admin_state_up"],
    )


def _group(view: _View, group: Document) -> Group:
    rules = tuple(
        Rule(
            incoming=rule["direction"] == "ingress",
            protocol=rule["protocol"],
            low=rule["port_range_min"],
            high=rule["port_range_max"],
            remote=rule["remote_ip_prefix"],
            remote_group=rule["remote_group_id"],
        )
        for rule in view.rules
        if rule["security_group_id"] == group["id"] and rule["ethertype"] == "IPv4"
    )
    members = tuple(e["ip_address"] for p in view.guests if group["id"] in p["security_groups"] for e in p["fixed_ips"])
    return Group(group["id"], rules, members)


def _router(view: _View, router: Document) -> Router:
    inside = tuple(
        (bridge_name(port["network_id"]), view.subnets[entry["subnet_id"]]["cidr"])
        for port in view.owned(ports.ROUTER_INTERFACE)
        if port["device_id"] == router["id"]
        for entry in port["fixed_ips"]
    )
    info = router["external_gateway_info"]
    outside = None
    if info and info["external_fixed_ips"]:
        outside = (bridge_name(info["network_id"]), info["external_fixed_ips"][0]["ip_address"])
    return Router(router["id"], inside, outside, bool(info and info["enable_snat"]))


def _floating(floating: Document) -> Floating:
    return Floating(
        address=floating["floating_ip_address"],
        bridge=bridge_name(floating["floating_network_id"]),
        fixed=floating["fixed_ip_address"],
    )
