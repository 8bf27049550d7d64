"""What Neutron says about networks and ports, and what compute asks for, as values that fit into JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """One NIC that a server is to have: on a network, or with a port that the user made."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None
    """Device tag; compute's own, Neutron does not know it."""
    auto: bool = False
    """Neutron makes the project's own network at allocation (auto-allocated-topology)."""


Wanted = tuple[NetworkRequest, ...] | Literal["auto", "none"] | None
"""``networks`` of a server create; None when the user said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOwner:
    """The server whose ports are made."""

    server_id: str
    project_id: str
    availability_zone: str = "nova"

    @property
    def device_owner(self) -> str:
        """Neutron's word for who uses a port."""
        return f"compute:{self.availability_zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """One network."""

    id: str
    name: str
    project_id: str | None = None
    shared: bool = False
    external: bool = False
    mtu: int | None = None
    subnet_ids: tuple[str, ...] = ()
    port_security: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetFacts:
    """One subnet, as a guest's network configuration needs it."""

    id: str
    cidr: str
    version: int
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    dhcp: bool = True
    routes: tuple[Mapping[str, str], ...] = ()
    """``destination`` and ``nexthop``."""
    ipv6_address_mode: str | None = None
    ipv6_ra_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedIpFacts:
    """One address of a port, with the floating addresses that lead to it."""

    address: str
    subnet: SubnetFacts
    floating: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """One port of a server, with all that compute tells and needs about it."""

    id: str
    mac: str
    network_id: str
    network_name: str
    project_id: str | None = None
    name: str = ""
    status: str = "DOWN"
    admin_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    fixed_ips: tuple[FixedIpFacts, ...] = ()
    mtu: int | None = None
    host: str | None = None
    """Where the port is bound."""
    vif_type: str = "unbound"
    vif_details: Mapping[str, Any] = field(default_factory=dict)
    vnic_type: str = "normal"
    profile: Mapping[str, Any] = field(default_factory=dict)
    security_group_ids: tuple[str, ...] = ()
    tag: str | None = None
    created: bool = False
    """Made by compute, and deleted with the server; a port that the user made is given back instead."""

    @property
    def devname(self) -> str:
        """The tap device's name, the one Neutron's agents look for: at most 14 characters."""
        return f"tap{self.id}"[:14]

    @property
    def bridge(self) -> str | None:
        """Where the tap device goes: what the binding says, or the name that Neutron's bridge agent uses."""
        named = self.vif_details.get("bridge_name")
        if named:
            return str(named)
        return f"brq{self.network_id}"[:14] if self.vif_type == "bridge" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """A security group that a rule names."""

    name: str
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRuleFacts:
    """One rule of a security group."""

    id: str
    ingress: bool
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str | None = None
    remote_group: GroupName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroupFacts:
    """One security group with its rules."""

    id: str
    name: str
    description: str = ""
    project_id: str | None = None
    rules: tuple[SecurityRuleFacts, ...] = ()
