"""``/os-security-groups`` and ``/os-security-group-rules``: Neutron's groups, in the words of an older service."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.api.servers.security_groups import group_view, rule_view
from kilonova.clients.keystone.errors import RemoteConflict, RemoteNotFound
from kilonova.clients.neutron.reading import group_facts
from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, is_uuid

_PATH = "/os-security-groups"
_ONE = _PATH + "/{security_group_id}"
_RULE = "os_compute_api:os-security-groups:"
_NAME: Any = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
_BODY = fields.wrapped(
    "security_group",
    Field(name="name", schema=_NAME, required=True),
    Field(name="description", schema=fields.nullable({"type": "string", "maxLength": 255}), required=True),
)
_PORT = fields.nullable(fields.integer(-1, 65535))
_PROTOCOL = fields.nullable({"enum": ["tcp", "udp", "icmp", "TCP", "UDP", "ICMP"]})
_RULE_BODY = fields.wrapped(
    "security_group_rule",
    Field(name="parent_group_id", schema={"type": ["string", "integer", "null"]}, required=True),
    Field(name="ip_protocol", schema=_PROTOCOL),
    Field(name="from_port", schema=_PORT),
    Field(name="to_port", schema=_PORT),
    Field(name="cidr", schema=fields.nullable({"type": "string"})),
    Field(name="group_id", schema=fields.nullable({"type": "string"})),
)
Row = Mapping[str, Any]


class GroupNotFound(NotFound):
    """No such group in the project."""

    template = "Security group {ident} not found."


class RuleNotFound(NotFound):
    """No such rule in the project."""

    template = "Security group with rule {ident} not found."


def _ident(call: Call, name: str) -> str:
    ident = call.params[name]
    if not is_uuid(ident):
        raise Invalid(f"{name}: {ident} is not a UUID")
    return ident


def _view(call: Call, row: Row) -> Any:
    return {"security_group": group_view(group_facts(call.app.networks.api, [dict(row)])[0])}


def index(call: Call) -> Any:
    """The project's groups, or an administrator's view of everyone's (``all_tenants``)."""
    everyone = call.context.is_admin and call.one("all_tenants") not in (None, "0", "false", "False")
    query = [] if everyone else [("project_id", str(call.context.project_id))]
    api = call.app.networks.api
    rows = sorted(api.rows("security_groups", query, call.context), key=lambda row: (row["name"], row["id"]))
    start, limit = call.integer("offset", 0) or 0, call.integer("limit", call.app.api.max_limit)
    return {"security_groups": [group_view(g) for g in group_facts(api, rows[start:][:limit])]}


def _find(call: Call, ident: str) -> Row:
    try:
        row: Row = call.app.networks.api.show("security_groups", ident, (), call.context)
    except RemoteNotFound:
        raise GroupNotFound(ident=ident) from None
    return row


def show(call: Call) -> Any:
    """One group."""
    return _view(call, _find(call, _ident(call, "security_group_id")))


def _wanted(call: Call) -> dict[str, Any]:
    given = call.body["security_group"]
    return {"name": given["name"], "description": given["description"] or ""}


def create(call: Call) -> Any:
    """Neutron says when there are too many, or a second ``default``."""
    wanted = {**_wanted(call), "project_id": call.context.project_id}
    try:
        (row,) = call.app.networks.api.create("security_groups", [wanted], call.context)
    except RemoteConflict as error:
        raise Invalid(str(error)) from None
    return _view(call, row)


def update(call: Call) -> Any:
    """Rename."""
    ident = _ident(call, "security_group_id")
    _find(call, ident)
    try:
        row = call.app.networks.api.update("security_groups", ident, _wanted(call), call.context)
    except RemoteConflict as error:
        raise Invalid(str(error)) from None
    return _view(call, row)


def delete(call: Call) -> None:
    """A group that ports have stays."""
    ident = _ident(call, "security_group_id")
    try:
        there = call.app.networks.api.delete("security_groups", ident, call.context)
    except RemoteConflict as error:
        raise Invalid(str(error)) from None
    if not there:
        raise GroupNotFound(ident=ident)


def create_rule(call: Call) -> Any:
    """Let traffic in: from addresses, or from the servers of a group."""
    given = call.body["security_group_rule"]
    parent = str(given["parent_group_id"])
    if not is_uuid(parent):
        raise Invalid(f"parent_group_id: {parent} is not a UUID")
    _find(call, parent)
    body = {"security_group_id": parent, "direction": "ingress", **_remote(call, given), **_ports(given)}
    try:
        (row,) = call.app.networks.api.create("security_group_rules", [body], call.context)
    except RemoteConflict as error:
        raise Invalid(str(error)) from None
    parent_row = {**_find(call, parent), "security_group_rules": [row]}
    (facts,) = group_facts(call.app.networks.api, [parent_row])
    return {"security_group_rule": rule_view(parent, facts.rules[0])}


def _remote(call: Call, given: Row) -> dict[str, Any]:
    group, cidr = given.get("group_id"), given.get("cidr") or "0.0.0.0/0"
    if group:
        _find(call, group)
        return {"remote_group_id": group, "ethertype": "IPv4"}
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        raise Invalid(f"cidr: {cidr} is not a network") from None
    return {"remote_ip_prefix": cidr, "ethertype": f"IPv{network.version}"}


def _ports(given: Row) -> dict[str, Any]:
    """A protocol and its ports (of ICMP: type and code, where -1 is any). Raises Invalid."""
    protocol, ends = given.get("ip_protocol"), (given.get("from_port"), given.get("to_port"))
    if protocol is None:
        if not given.get("group_id"):
            raise Invalid("ip_protocol, from_port and to_port are needed without a group_id")
        return {}
    low, high = (None if end is None else int(end) for end in ends)
    if not given.get("group_id") and (low is None or high is None):
        raise Invalid("from_port and to_port are needed with an ip_protocol")
    if protocol.lower() == "icmp":
        found = {"port_range_min": low, "port_range_max": high}
        return {"protocol": "icmp", **{k: v for k, v in found.items() if v is not None and v >= 0}}
    if low is not None and high is not None and not 1 <= low <= high:
        raise Invalid(f"Invalid port range {low}:{high}. Valid {protocol} ports should be between 1-65535")
    return {"protocol": protocol.lower(), "port_range_min": low, "port_range_max": high}


def delete_rule(call: Call) -> None:
    """No longer let it in."""
    ident = _ident(call, "security_group_rule_id")
    if not call.app.networks.api.delete("security_group_rules", ident, call.context):
        raise RuleNotFound(ident=ident)


def _endpoint(method: str, path: str, handler: Any, action: str, summary: str, **more: Any) -> Endpoint:
    return Endpoint(
        method=method, path=path, handler=handler, rule=_RULE + action, until=PROXIES_UNTIL, summary=summary, **more
    )


ENDPOINTS = (
    _endpoint("GET", _PATH, index, "get", "List security groups", query=fields.query("limit", "offset", "all_tenants")),
    _endpoint("POST", _PATH, create, "create", "Create a security group", body=_BODY),
    _endpoint("GET", _ONE, show, "show", "Show a security group"),
    _endpoint("PUT", _ONE, update, "update", "Rename a security group", body=_BODY),
    _endpoint("DELETE", _ONE, delete, "delete", "Delete a security group", status=202),
    _endpoint("POST", "/os-security-group-rules", create_rule, "rule:create", "Add a rule", body=_RULE_BODY),
    _endpoint(
        "DELETE",
        "/os-security-group-rules/{security_group_rule_id}",
        delete_rule,
        "rule:delete",
        "Delete a rule",
        status=202,
    ),
)
