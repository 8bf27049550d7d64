"""Neutron in memory: networks with subnets, ports that get addresses and bindings, groups, quotas.

``FakeNetworkApi`` stands behind the same ``ApiNeutron`` as the REST API does, so what compute does is the same; only
the rows are kept here. It refuses what Neutron refuses, with Neutron's own error types.
"""

import ipaddress
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kilonova.clients.keystone.errors import RemoteConflict, RemoteInvalid, RemoteNotFound, RemoteOverQuota
from kilonova.clients.neutron.api import Query, Row
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.context import Context

_RESOURCES = (
    "networks",
    "subnets",
    "ports",
    "security_groups",
    "security_group_rules",
    "floatingips",
    "extensions",
)
_OWNED = frozenset({"ports", "security_groups", "security_group_rules", "floatingips"})
_PORT_DEFAULTS: Mapping[str, Any] = {
    "name": "",
    "admin_state_up": True,
    "device_id": "",
    "device_owner": "",
    "binding:host_id": "",
    "binding:vnic_type": "normal",
    "binding:profile": {},
}

_NETWORK_DEFAULTS: Mapping[str, Any] = {
    "shared": False,
    "mtu": 1450,
    "status": "ACTIVE",
    "router:external": False,
    "port_security_enabled": True,
}


class FakeNetworkApi:
    """Implements ``api.NetworkApi``."""

    def __init__(self, clock: Clock | None = None, *, vif_type: str = "bridge") -> None:
        self._clock = clock or SystemClock()
        self._vif_type = vif_type
        self._tables: dict[str, dict[str, Row]] = {name: {} for name in _RESOURCES}
        self._quotas: dict[str, int] = {}
        self._macs = itertools.count(1)
        self._bindings: dict[str, dict[str, Row]] = {}
        """Port → host → inactive binding."""
        self._pools: dict[str, Iterator[Any]] = {}
        self._lock = threading.RLock()
        self.deaf_hosts: set[str] = set()
        """Hosts on which no binding works."""
        self.wires_late = False
        """A bound port becomes active only by ``wire``, as with agents of their own."""
        self.auto_network: str | None = None
        """What the auto-allocated topology is; None: Neutron has none to give."""
        self.interfere: Callable[[str, str], None] = lambda _verb, _resource: None
        """Called before every call (``"create", "ports"``); what it raises, the call raises."""
        self._add("extensions", {"alias": "binding-extended"})

    # -- making a world --
    def network(
        self,
        name: str,
        project_id: str = "",
        *,
        cidr: str | None = "10.0.0.0/24",
        shared: bool = False,
        external: bool = False,
        **more: Any,
    ) -> str:
        """A network with one subnet (``cidr`` None: with none); its id."""
        row = {"name": name, "project_id": project_id, "shared": shared, "router:external": external, **more}
        network_id = str(self.create("networks", [row])[0]["id"])
        if cidr is not None:
            self.subnet(network_id, cidr)
        return network_id

    def subnet(self, network_id: str, cidr: str, **more: Any) -> str:
        """A further subnet; its id."""
        return str(self.create("subnets", [{"network_id": network_id, "cidr": cidr, **more}])[0]["id"])

    def security_group(self, name: str, project_id: str) -> str:
        """A security group; its id."""
        return str(self._add("security_groups", {"name": name, "project_id": project_id})["id"])

    def user_port(self, network_id: str, project_id: str, **more: Any) -> str:
        """A port as a user makes it; its id."""
        return str(self.create("ports", [{"network_id": network_id, "project_id": project_id, **more}])[0]["id"])

    def floating_ip(self, address: str, port_id: str) -> str:
        """A floating address that leads to the port's first one; its id."""
        port = self._tables["ports"][port_id]
        row = {
            "floating_ip_address": address,
            "fixed_ip_address": port["fixed_ips"][0]["ip_address"],
            "port_id": port_id,
            "project_id": port["project_id"],
        }
        return str(self._add("floatingips", row)["id"])

    def limit_ports(self, project_id: str, limit: int) -> None:
        """The project's quota of ports; -1 is none."""
        self._quotas[project_id] = limit

    # -- the API --
    def rows(self, resource: str, query: Query = (), context: Context | None = None) -> list[Row]:
        self.interfere("rows", resource)
        if resource.endswith("/bindings"):
            return list(self._of_port(resource).values())
        wanted: dict[str, set[str]] = {}
        for key, value in query:
            if key != "fields":
                wanted.setdefault(key, set()).add(value)
        with self._lock:
            table = self._tables[resource]
            candidates = [table[key] for key in wanted["id"] if key in table] if "id" in wanted else table.values()
            rows = [self._dressed(resource, row) for row in candidates]
        return [row for row in rows if _matches(row, wanted) and _sees(context, resource, row)]

    def show(self, resource: str, name: str, query: Query = (), context: Context | None = None) -> Row:
        self.interfere("show", resource)
        if resource == "quotas":
            project = name.removesuffix("/details")
            return {"port": {"limit": self._limit(project), "used": self._used(project), "reserved": 0}}
        if resource == "auto_allocated_topologies":
            if self.auto_network is None:
                raise RemoteConflict(
                    neighbour="Neutron", code="AutoAllocationFailure", reason="No default router:external network."
                )
            return {"id": "dry-run=pass" if query else self.auto_network, "project_id": name}
        found = self.rows(resource, [("id", name)], context)
        if not found:
            raise _missing(resource, name)
        return found[0]

    def create(self, resource: str, rows: Sequence[Mapping[str, Any]], context: Context | None = None) -> list[Row]:
        self.interfere("create", resource)
        owner = {"project_id": context.project_id} if context is not None else {}
        if resource.endswith("/bindings"):
            return [self._second_binding(resource, row["host"]) for row in rows]
        made: list[Row] = []
        with self._lock:
            try:
                for row in rows:
                    made.append(self._made(resource, {**owner, **row}))
            except Exception:
                for row in made:
                    del self._tables[resource][row["id"]]
                raise
        return [self._dressed(resource, row) for row in made]

    def update(self, resource: str, name: str, changes: Mapping[str, Any], context: Context | None = None) -> Row:
        self.interfere("update", resource)
        with self._lock:
            row = self._tables[resource].get(name)
            if row is None or not _sees(context, resource, row):
                raise _missing(resource, name)
            row.update(self._settled(row, changes))
            if resource == "ports":
                self._bind(row)
            return self._dressed(resource, row)

    def delete(self, resource: str, name: str, context: Context | None = None) -> bool:
        self.interfere("delete", resource)
        if resource.endswith("/bindings"):
            return self._of_port(resource).pop(name, None) is not None
        with self._lock:
            row = self._tables[resource].get(name)
            if row is None or not _sees(context, resource, row):
                return False
            users = [p for p in self._tables["ports"].values() if name in p["security_groups"]]
            if resource == "security_groups" and users:
                raise RemoteConflict(
                    neighbour="Neutron", code="SecurityGroupInUse", reason=f"Security Group {name} in use."
                )
            del self._tables[resource][name]
            return True

    def activate(self, port_id: str, host: str) -> bool:
        self.interfere("activate", "ports")
        with self._lock:
            others = self._bindings.setdefault(port_id, {})
            if others.pop(host, None) is None:
                return False
            row = self._tables["ports"][port_id]
            others[row["binding:host_id"]] = {"host": row["binding:host_id"]}
            row["binding:host_id"] = host
            self._bind(row)
            return True

    def wire(self, device_id: str) -> str:
        """Make a server's port active; its id."""
        (port,) = (row for row in self._tables["ports"].values() if row.get("device_id") == device_id)
        port["status"] = "ACTIVE"
        return str(port["id"])

    # -- inside --
    def _of_port(self, resource: str) -> dict[str, Row]:
        port_id = resource.split("/")[1]
        if port_id not in self._tables["ports"]:
            raise _missing("ports", port_id)
        return self._bindings.setdefault(port_id, {})

    def _second_binding(self, resource: str, host: str) -> Row:
        others = self._of_port(resource)
        if host in others:
            raise RemoteConflict(
                neighbour="Neutron", code="PortBindingAlreadyExists", reason=f"The port is bound to {host} already."
            )
        failed = host in self.deaf_hosts
        kind = "binding_failed" if failed else self._vif_type
        others[host] = {"host": host, "status": "INACTIVE", "vif_type": kind, "vif_details": {}}
        return others[host]

    def _add(self, resource: str, row: Mapping[str, Any]) -> Row:
        made = {"id": str(uuid.uuid4()), "created_at": self._clock.now().isoformat(), **row}
        with self._lock:
            self._tables[resource][made["id"]] = made
        return made

    def _made(self, resource: str, row: Mapping[str, Any]) -> Row:
        if resource == "ports":
            return self._port(row)
        if resource == "networks":
            return self._add(resource, {**_NETWORK_DEFAULTS, **row})
        if resource == "subnets":
            owner = self._tables["networks"][row["network_id"]]["project_id"]
            return self._add(resource, {**_subnet_defaults(row["cidr"]), "project_id": owner, **row})
        if resource == "floatingips":
            network = self._tables["networks"][row["floating_network_id"]]
            address = self._addresses(network, None)[0]["ip_address"]
            return self._add(
                resource, {"floating_ip_address": address, "fixed_ip_address": None, "port_id": None, **row}
            )
        if resource == "security_group_rules" and row["security_group_id"] not in self._tables["security_groups"]:
            raise _missing("security_groups", row["security_group_id"])
        return self._add(resource, row)

    def _settled(self, row: Row, changes: Mapping[str, Any]) -> Row:
        """``changes`` with the addresses that they ask for, as Neutron finds them."""
        made = dict(changes)
        if "fixed_ips" in made:
            network = self._tables["networks"][row["network_id"]]
            known = {ip["ip_address"] for ip in row["fixed_ips"]}
            kept = [ip for ip in made["fixed_ips"] if ip.get("ip_address") in known]
            new = [ip for ip in made["fixed_ips"] if ip.get("ip_address") not in known]
            made["fixed_ips"] = [*kept, *(self._addresses(network, new) if new else ())]
        if made.get("port_id"):
            made.setdefault("fixed_ip_address", self._tables["ports"][made["port_id"]]["fixed_ips"][0]["ip_address"])
        elif "port_id" in made:
            made["fixed_ip_address"] = None
        return made

    def _dressed(self, resource: str, row: Row) -> Row:
        if resource == "security_groups":
            rules = [
                dict(r) for r in self._tables["security_group_rules"].values() if r["security_group_id"] == row["id"]
            ]
            given = row.get("security_group_rules", [])
            return {"description": "", **row, "security_group_rules": [*given, *rules]}
        if resource != "networks":
            return dict(row)
        subnets = [key for key, subnet in self._tables["subnets"].items() if subnet["network_id"] == row["id"]]
        return {**row, "subnets": subnets}

    def _port(self, asked: Mapping[str, Any]) -> Row:
        network = self._tables["networks"].get(asked["network_id"])
        if network is None:
            raise _missing("networks", asked["network_id"])
        project = asked.get("project_id", "")
        if 0 <= self._limit(project) <= self._used(project):
            raise RemoteOverQuota(
                neighbour="Neutron", code="OverQuota", reason="Quota exceeded for resources: ['port']."
            )
        if asked.get("security_groups") and not network["port_security_enabled"]:
            raise RemoteInvalid(
                neighbour="Neutron",
                code="PortSecurityAndIPRequiredForSecurityGroups",
                reason="Port security must be enabled in order to use security groups.",
            )
        groups = list(asked.get("security_groups") or [self._default_group(project)])
        fixed = self._addresses(network, asked.get("fixed_ips"))
        row = {**_PORT_DEFAULTS, "mac_address": self._mac(), **asked, "fixed_ips": fixed, "security_groups": groups}
        self._bind(row)
        return self._add("ports", row)

    def _addresses(self, network: Row, asked: Sequence[Mapping[str, str]] | None) -> list[dict[str, str]]:
        subnets = [row for row in self._tables["subnets"].values() if row["network_id"] == network["id"]]
        taken = {
            ip["ip_address"]
            for port in self._tables["ports"].values()
            for ip in port["fixed_ips"]
            if port["network_id"] == network["id"]
        }
        taken |= {row["floating_ip_address"] for row in self._tables["floatingips"].values()}
        if asked:
            return [self._asked_for(ip, subnets, taken) for ip in asked]
        found = {}
        for subnet in subnets:
            if subnet["ip_version"] not in found:
                address = self._free(subnet, taken)
                if address:
                    found[subnet["ip_version"]] = {"subnet_id": subnet["id"], "ip_address": address}
        if subnets and not found:
            raise RemoteConflict(
                neighbour="Neutron",
                code="IpAddressGenerationFailure",
                reason=f"No more IP addresses available on network {network['id']}.",
            )
        return list(found.values())

    def _asked_for(self, ip: Mapping[str, str], subnets: Sequence[Row], taken: set[str]) -> dict[str, str]:
        address = ip.get("ip_address")
        if address is None:
            wanted = [subnet for subnet in subnets if subnet["id"] == ip["subnet_id"]]
            address = self._free(wanted[0], taken)
        if address is None or address in taken:
            raise RemoteConflict(
                neighbour="Neutron", code="IpAddressAlreadyAllocated", reason=f"IP address {address} already allocated"
            )
        for subnet in subnets:
            if ipaddress.ip_address(address) in ipaddress.ip_network(subnet["cidr"]):
                return {"subnet_id": subnet["id"], "ip_address": address}
        raise RemoteInvalid(
            neighbour="Neutron",
            code="InvalidIpForNetwork",
            reason=f"IP address {address} is not a valid IP for the network.",
        )

    def _free(self, subnet: Row, taken: set[str]) -> str | None:
        """The next address of the pool; from its start again when it has been walked through."""
        for _walk in range(2):
            pool = self._pools.setdefault(subnet["id"], ipaddress.ip_network(subnet["cidr"]).hosts())
            for address in map(str, pool):
                if address not in taken and address != subnet["gateway_ip"]:
                    return address
            del self._pools[subnet["id"]]
        return None

    def _bind(self, row: Row) -> None:
        host = row.get("binding:host_id")
        failed = host in self.deaf_hosts
        row["binding:vif_type"] = ("binding_failed" if failed else self._vif_type) if host else "unbound"
        good = bool(host) and not failed
        row["binding:vif_details"] = {"bridge_name": f"brq{row['network_id']}"[:14]} if good else {}
        row["status"] = "ACTIVE" if good and row.get("device_id") and not self.wires_late else "DOWN"

    def _default_group(self, project: str) -> str:
        for row in self._tables["security_groups"].values():
            if row["name"] == "default" and row["project_id"] == project:
                return str(row["id"])
        return self.security_group("default", project)

    def _mac(self) -> str:
        number = next(self._macs)
        return "fa:16:3e:" + ":".join(f"{(number >> shift) & 255:02x}" for shift in (16, 8, 0))

    def _limit(self, project: str) -> int:
        return self._quotas.get(project, -1)

    def _used(self, project: str) -> int:
        return sum(1 for port in self._tables["ports"].values() if port.get("project_id") == project)


def _subnet_defaults(cidr: str) -> Row:
    net = ipaddress.ip_network(cidr)
    return {
        "ip_version": net.version,
        "gateway_ip": str(net[1]),
        "dns_nameservers": [],
        "host_routes": [],
        "enable_dhcp": True,
    }


def _matches(row: Row, wanted: Mapping[str, set[str]]) -> bool:
    return all(_value(row, key) & values for key, values in wanted.items())


def _value(row: Row, key: str) -> set[str]:
    if key == "fixed_ips":
        return {f"ip_address={ip['ip_address']}" for ip in row["fixed_ips"]}
    value = row.get(key)
    return {str(value).lower() if isinstance(value, bool) else str(value)}


def _sees(context: Context | None, resource: str, row: Row) -> bool:
    if context is None or context.token is None or context.is_admin:
        return True
    own = row.get("project_id") == context.project_id
    return own if resource in _OWNED else own or resource == "subnets" or _open(row)


def _open(network: Row) -> bool:
    return bool(network["shared"] or network["router:external"])


def _missing(resource: str, name: str) -> RemoteNotFound:
    noun = resource.removesuffix("s").replace("_", " ").capitalize()
    return RemoteNotFound(neighbour="Neutron", code=f"{noun}NotFound", reason=f"{noun} {name} could not be found.")
