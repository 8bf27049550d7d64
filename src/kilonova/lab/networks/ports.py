"""Ports: addresses, security, binding."""

import secrets
from collections.abc import Sequence
from typing import Any

from kilonova.lab.networks import addresses, binding, errors, fixed_ips, quotas, security_groups
from kilonova.lab.networks.resources import FLAG, STANDARD, TEXT, UUID, UUIDS, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Caller, Work, new_id

ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING = "network:floatingip"
_SERVICE_OWNERS = (ROUTER_INTERFACE, ROUTER_GATEWAY, FLOATING)
_MAC = {"type": "string", "pattern": "^[0-9a-fA-F][02468aceACE]([:-][0-9a-fA-F]{2}){5}$"}
_ADDRESS = {
    "type": "object",
    "properties": {"subnet_id": UUID, "ip_address": TEXT},
    "additionalProperties": False,
    "minProperties": 1,
}
_PAIR = {
    "type": "object",
    "properties": {"ip_address": TEXT, "mac_address": _MAC},
    "required": ["ip_address"],
    "additionalProperties": False,
}
ATTRIBUTES = (
    *STANDARD,
    Attribute(name="network_id", schema=UUID, required=True, update=False),
    Attribute(name="mac_address", schema=_MAC),
    Attribute(name="fixed_ips", schema={"type": ["array", "null"], "items": _ADDRESS, "maxItems": 20}),
    Attribute(name="device_id", schema=TEXT, default=""),
    Attribute(name="device_owner", schema=TEXT, default=""),
    Attribute(name="admin_state_up", schema=FLAG, default=True),
    Attribute(name="security_groups", schema={**UUIDS, "type": ["array", "null"]}),
    Attribute(name="port_security_enabled", schema=FLAG),
    Attribute(name="allowed_address_pairs", schema={"type": "array", "items": _PAIR, "maxItems": 10}, default=[]),
    Attribute(name="dns_name", schema={"type": "string", "pattern": "^([A-Za-z0-9-]{1,63}|)$"}, default=""),
    *binding.ATTRIBUTES,
)
_OF_NETWORK_OWNER = ("mac_address", "port_security_enabled", "allowed_address_pairs")


def _make(work: Work, port: Document) -> Document:
    network = work.network(port["network_id"])
    quotas.demand(work, "port", port["project_id"])
    _check_owner(work, network, port)
    return _store(work, network, port)


def _store(work: Work, network: Document, port: Document) -> Document:
    port.setdefault("port_security_enabled", network["port_security_enabled"])
    port["binding:profile"] = port.get("binding:profile") or {}
    port["mac_address"] = _claim_mac(work, port, port.get("mac_address"))
    port["fixed_ips"] = fixed_ips.allocate(work, port, port.get("fixed_ips"))
    wanted = port.get("security_groups")
    if wanted is None:
        wanted = [security_groups.default_of(work, port["project_id"])["id"]] if _defaults_apply(port) else []
    port["security_groups"] = _groups(work, port, wanted)
    if port["security_groups"] and not port["port_security_enabled"]:
        raise errors.PortSecurityAndIPRequiredForSecurityGroups
    _check_security(port)
    port |= {"status": "DOWN", "binding:vif_type": binding.UNBOUND, "binding:vif_details": {}, "extra_dhcp_opts": []}
    return work.docs.insert("port", port)


def _defaults_apply(port: Document) -> bool:
    return bool(port["port_security_enabled"]) and not port["device_owner"].startswith("network:")


def _check_owner(work: Work, network: Document, given: Document) -> None:
    if work.caller.owns(network):
        return
    if given.get("device_owner", "").startswith("network:"):
        raise errors.PolicyNotAuthorized(action="rule:create_port:device_owner")
    for name in _OF_NETWORK_OWNER:
        if given.get(name) not in (None, [], network.get(name)):
            raise errors.PolicyNotAuthorized(action=f"port attribute {name} on a network of another project")


def _claim_mac(work: Work, port: Document, wanted: str | None) -> str:
    mac = wanted.lower().replace("-", ":") if wanted else None
    while mac is None:
        candidate = "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
        mac = candidate if work.docs.mac_holder(port["network_id"], candidate) is None else None
    if work.docs.mac_holder(port["network_id"], mac) is not None:
        raise errors.MacAddressInUse(network_id=port["network_id"], mac=mac)
    work.docs.claim_mac(port["network_id"], mac, port["id"])
    return mac


def _groups(work: Work, port: Document, wanted: Sequence[str]) -> list[str]:
    for group_id in wanted:
        group = work.own("security_group", group_id)
        if group["project_id"] != port["project_id"] and not work.caller.privileged:
            raise errors.SecurityGroupNotFound(id=group_id)
    return list(dict.fromkeys(wanted))


def _check_security(port: Document) -> None:
    for pair in port["allowed_address_pairs"]:
        pair["ip_address"] = _pair_address(pair["ip_address"])
        pair["mac_address"] = pair.get("mac_address", port["mac_address"]).lower()
    if port["port_security_enabled"]:
        return
    if port["security_groups"]:
        raise errors.PortSecurityPortHasSecurityGroup
    if port["allowed_address_pairs"]:
        raise errors.AddressPairAndPortSecurityRequired


def _pair_address(text: str) -> str:
    network = addresses.parse_cidr("allowed_address_pairs", text)
    return str(network) if "/" in text else str(network.network_address)


def _change(work: Work, port: Document, changes: Document) -> Document:
    network = work.must("network", port["network_id"])
    _check_owner(work, network, {k: v for k, v in changes.items() if v != port.get(k)})
    mac = changes.pop("mac_address", None)
    if mac is not None and mac.lower() != port["mac_address"]:
        if port["binding:host_id"] and changes.get("binding:host_id") != "":
            raise errors.PortBound(port_id=port["id"])
        work.docs.release_mac(port["id"])
        port["mac_address"] = _claim_mac(work, port, mac)
    wanted: Any = changes.pop("fixed_ips", None)
    if wanted is not None:
        readdress(work, port, wanted)
    if "binding:profile" in changes:
        changes["binding:profile"] = changes["binding:profile"] or {}
    if "security_groups" in changes:
        changes["security_groups"] = _groups(work, port, changes["security_groups"] or [])
    port.update(changes)
    _check_security(port)
    return work.docs.save("port", port)


def readdress(work: Work, port: Document, wanted: Sequence[dict[str, str]]) -> None:
    """Give the port other addresses; those it keeps stay. The caller stores the port."""
    before = {entry["ip_address"] for entry in port["fixed_ips"]}
    kept: dict[str, list[str]] = {}
    named = {entry.get("ip_address") for entry in wanted}
    for entry in port["fixed_ips"]:
        if entry["ip_address"] not in named:
            kept.setdefault(entry["subnet_id"], []).append(entry["ip_address"])
    work.docs.release_addresses(port["id"])
    asked = []
    for entry in wanted:
        old = kept.get(entry.get("subnet_id", ""), [])
        asked.append({**entry, "ip_address": old.pop(0)} if "ip_address" not in entry and old else entry)
    # Named addresses first: an entry that leaves the choice to us must not take one of them.
    ordered = sorted(asked, key=lambda entry: "ip_address" not in entry)
    port["fixed_ips"] = fixed_ips.allocate(work, port, ordered)
    gone = before - {entry["ip_address"] for entry in port["fixed_ips"]}
    for floating in work.docs.select("floatingip", parents=[port["id"]]):
        if floating["fixed_ip_address"] in gone:
            disassociate(work, floating)


def disassociate(work: Work, floating: Document) -> None:
    """A floating IP leads nowhere now."""
    floating |= {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
    work.docs.save("floatingip", floating)


def _remove(work: Work, port: Document) -> None:
    if port["device_owner"] in _SERVICE_OWNERS and port["device_id"]:
        raise errors.ServicePortInUse(port_id=port["id"], owner=f"{port['device_owner']} {port['device_id']}")
    remove_inner(work, port)


def remove_inner(work: Work, port: Document) -> None:
    """Remove a port whoever owns it; floating IPs let go of it."""
    for floating in work.docs.select("floatingip", parents=[port["id"]]):
        disassociate(work, floating)
    work.docs.delete("port", port["id"])


def make_inner(
    work: Work, network: Document, device_owner: str, device_id: str, wanted: Sequence[dict[str, str]] | None
) -> Document:
    """A port of the lab itself (DHCP, router, floating IP): no quota, no security, the network's project."""
    lab = Work(work.docs, Caller("", privileged=True, writer=True), work.options, work.host_networks)
    inside = device_owner in (ROUTER_INTERFACE, "network:dhcp")
    port: Document = {attribute.name: attribute.default for attribute in ATTRIBUTES if attribute.create}
    port |= {
        "id": new_id(),
        "project_id": network["project_id"] if inside else "",
        "network_id": network["id"],
        "device_owner": device_owner,
        "device_id": device_id,
        "mac_address": None,
        "fixed_ips": None if wanted is None else list(wanted),
        "security_groups": [],
        "port_security_enabled": False,
        "allowed_address_pairs": [],
        "binding:profile": {},
        "tags": [],
    }
    port.pop("tenant_id", None)
    return _store(lab, network, port)


def _visible(work: Work, ports: list[Document]) -> list[Document]:
    if work.caller.privileged or all(work.caller.owns(port) for port in ports):
        return ports
    mine = {n["id"] for n in work.docs.select("network", projects=[work.caller.project_id])}
    return [p for p in ports if work.caller.owns(p) or p["network_id"] in mine]


RESOURCE = Resource(
    kind="port",
    plural="ports",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
    visible=_visible,
)
