"""Security groups and their rules. Every project has a ``default`` group from its first use on.

The default group lets everything out and lets in only what comes from members of the same group. To ping or ssh into a
guest, add rules: ``openstack security group rule create --protocol icmp default``.
"""

from ipaddress import IPv6Network
from typing import Any

from kilonova.lab.networks import addresses, errors, quotas
from kilonova.lab.networks.resources import FLAG, STANDARD, TEXT, UUID, UUID_OR_NULL, Attribute, Resource
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Work, new_id

DEFAULT = "default"
PORTED = ("tcp", "udp", "sctp", "dccp", "udplite")
_ICMP = ("icmp", "ipv6-icmp", "icmpv6")
_PROTOCOLS = (*PORTED, *_ICMP, "ah", "egp", "esp", "gre", "igmp", "ipip", "ospf", "pgm", "rsvp", "vrrp")
_PORT = {"type": ["integer", "null"], "minimum": 0, "maximum": 65535}
_HIGHEST_PROTOCOL, _HIGHEST_TYPE = 255, 255

ATTRIBUTES = (*STANDARD, Attribute(name="stateful", schema={**FLAG, "enum": [True]}, default=True))
RULE_ATTRIBUTES = (
    Attribute(name="description", schema=TEXT, default=""),
    Attribute(name="project_id", schema=TEXT, update=False),
    Attribute(name="tenant_id", schema=TEXT, update=False),
    Attribute(name="security_group_id", schema=UUID, required=True),
    Attribute(name="direction", schema={"type": "string", "enum": ["ingress", "egress"]}, required=True),
    Attribute(name="ethertype", schema={"type": ["string", "null"], "enum": ["IPv4", "IPv6", None]}, default="IPv4"),
    Attribute(name="protocol", schema={"type": ["string", "integer", "null"]}, default=None),
    Attribute(name="port_range_min", schema=_PORT, default=None),
    Attribute(name="port_range_max", schema=_PORT, default=None),
    Attribute(name="remote_ip_prefix", schema={"type": ["string", "null"], "maxLength": 64}, default=None),
    Attribute(name="remote_group_id", schema=UUID_OR_NULL, default=None),
    Attribute(name="remote_address_group_id", schema={"type": "null"}, default=None),
)
_SAME = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)


def _group(work: Work, document: Document, *, incoming: bool) -> Document:
    document.update(shared=False, stateful=True)
    document.setdefault("tags", [])
    work.docs.insert("security_group", document)
    for ethertype in ("IPv4", "IPv6"):
        _plain_rule(work, document, "egress", ethertype, None)
        if incoming:
            _plain_rule(work, document, "ingress", ethertype, document["id"])
    return document


def _plain_rule(work: Work, group: Document, direction: str, ethertype: str, remote: str | None) -> None:
    rule: Document = {a.name: None for a in RULE_ATTRIBUTES if a.name != "tenant_id"}
    rule |= {
        "id": new_id(),
        "project_id": group["project_id"],
        "security_group_id": group["id"],
        "direction": direction,
        "ethertype": ethertype,
        "remote_group_id": remote,
        "description": "",
        "tags": [],
    }
    work.docs.insert("security_group_rule", rule)


def default_of(work: Work, project_id: str) -> Document:
    """The project's default group; made when it is missing."""
    for group in work.docs.select("security_group", projects=[project_id]):
        if group["name"] == DEFAULT:
            return group
    document = {
        "id": new_id(),
        "name": DEFAULT,
        "description": "Default security group",
        "project_id": project_id,
    }
    return _group(work, document, incoming=True)


def lacks_default(work: Work) -> bool:
    """Has the caller's project no default group yet?"""
    groups = work.docs.select("security_group", projects=[work.caller.project_id])
    return bool(work.caller.project_id) and all(group["name"] != DEFAULT for group in groups)


def prepare(work: Work) -> None:
    """Make the caller's default group."""
    default_of(work, work.caller.project_id)


def _make(work: Work, group: Document) -> Document:
    default_of(work, group["project_id"])
    if group["name"] == DEFAULT:
        raise errors.SecurityGroupDefaultAlreadyExists
    quotas.demand(work, "security_group", group["project_id"])
    return _group(work, group, incoming=False)


def _change(work: Work, group: Document, changes: Document) -> Document:
    name = changes.get("name", group["name"])
    if (name == DEFAULT) != (group["name"] == DEFAULT):
        raise errors.SecurityGroupDefaultAlreadyExists if name == DEFAULT else errors.SecurityGroupCannotRemoveDefault
    group.update(changes)
    return work.docs.save("security_group", group)


def _remove(work: Work, group: Document) -> None:
    if group["name"] == DEFAULT and not work.caller.privileged:
        raise errors.SecurityGroupCannotRemoveDefault
    if any(group["id"] in port["security_groups"] for port in work.docs.select("port")):
        raise errors.SecurityGroupInUse(id=group["id"])
    for rule in work.docs.select("security_group_rule"):
        if group["id"] in (rule["security_group_id"], rule["remote_group_id"]):
            work.docs.delete("security_group_rule", rule["id"])
    work.docs.delete("security_group", group["id"])


def _dress(work: Work, groups: list[Document]) -> None:
    rules: dict[str, list[Document]] = {group["id"]: [] for group in groups}
    for rule in work.docs.select("security_group_rule", parents=rules):
        _normalize(work, [rule])
        rules[rule["security_group_id"]].append({**rule, "tenant_id": rule["project_id"]})
    for group in groups:
        group["security_group_rules"] = rules[group["id"]]


def _make_rule(work: Work, rule: Document) -> Document:
    group = work.own("security_group", rule["security_group_id"])
    rule["project_id"] = group["project_id"]
    quotas.demand(work, "security_group_rule", rule["project_id"])
    rule["ethertype"] = rule["ethertype"] or "IPv4"
    rule["protocol"] = _protocol(rule["protocol"])
    _check_ports(rule)
    _check_remote(work, rule)
    for other in work.docs.select("security_group_rule", parents=[group["id"]]):
        if all(other[key] == rule[key] for key in _SAME):
            raise errors.SecurityGroupRuleExists(rule_id=other["id"])
    return work.docs.insert("security_group_rule", rule)


def _protocol(value: Any) -> str | None:
    if value is None or str(value).lower() in ("any", ""):
        return None
    name = str(value).lower()
    if name.isdecimal() and int(name) <= _HIGHEST_PROTOCOL:
        return {"1": "icmp", "6": "tcp", "17": "udp"}.get(name, name)
    if name not in _PROTOCOLS:
        reason = f"'{value}' is not one of {', '.join(_PROTOCOLS)} or a number from 0 to {_HIGHEST_PROTOCOL}"
        raise errors.InvalidInput(field="protocol", reason=reason)
    return name


def _check_ports(rule: Document) -> None:
    low, high, protocol = rule["port_range_min"], rule["port_range_max"], rule["protocol"]
    if low is None and high is None:
        return
    if protocol in _ICMP:
        if low is None or low > _HIGHEST_TYPE or (high is not None and high > _HIGHEST_TYPE):
            reason = "port_range_min is an ICMP type and port_range_max a code, 0 to 255, the type first"
            raise errors.SecurityGroupInvalidPortRange(reason=reason)
        return
    if protocol not in PORTED:
        raise errors.SecurityGroupInvalidPortRange(reason=f"ports need a protocol that has them, not {protocol}")
    if low is None or high is None or low > high:
        raise errors.SecurityGroupInvalidPortRange(reason="port_range_min must be <= port_range_max")


def _check_remote(work: Work, rule: Document) -> None:
    prefix, group_id = rule["remote_ip_prefix"], rule["remote_group_id"]
    if prefix is not None and group_id is not None:
        raise errors.InvalidInput(field="remote_group_id", reason="remote_ip_prefix is given too; only one can be")
    if group_id is not None:
        work.own("security_group", group_id)
    if prefix is None:
        return
    if rule["ethertype"] == "IPv4":
        rule["remote_ip_prefix"] = str(addresses.parse_cidr("remote_ip_prefix", prefix))
    else:
        rule["remote_ip_prefix"] = _ipv6(prefix)


def _ipv6(prefix: str) -> str:
    try:
        return str(IPv6Network(prefix, strict=False))
    except ValueError:
        raise errors.InvalidInput(field="remote_ip_prefix", reason=f"'{prefix}' is not an IPv6 cidr") from None


def _change_rule(work: Work, rule: Document, changes: Document) -> Document:
    del work, changes
    return rule


def _remove_rule(work: Work, rule: Document) -> None:
    work.docs.delete("security_group_rule", rule["id"])


def _normalize(work: Work, rules: list[Document]) -> None:
    del work
    for rule in rules:
        rule["normalized_cidr"] = rule["remote_ip_prefix"]


RESOURCE = Resource(
    kind="security_group",
    plural="security_groups",
    attributes=ATTRIBUTES,
    make=_make,
    change=_change,
    remove=_remove,
    dress=_dress,
    prepare=prepare,
    needs_preparing=lacks_default,
)
RULE_RESOURCE = Resource(
    kind="security_group_rule",
    plural="security_group_rules",
    attributes=RULE_ATTRIBUTES,
    make=_make_rule,
    change=_change_rule,
    remove=_remove_rule,
    dress=_normalize,
    prepare=prepare,
    needs_preparing=lacks_default,
    updatable=False,
)
