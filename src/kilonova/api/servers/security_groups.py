"""``GET /servers/{server_id}/os-security-groups``."""

from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.clients.neutron.facts import SecurityGroupFacts, SecurityRuleFacts
from kilonova.kit.http.endpoint import Call, Endpoint


def index(call: Call) -> Any:
    """The groups of the server's ports."""
    _cell, row = finding.find(call, "os_compute_api:os-security-groups:list")
    found = call.app.networks.groups_of(row["uuid"]) if call.app.networks is not None else ()
    return {"security_groups": [_group(group) for group in found]}


def _group(group: SecurityGroupFacts) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [_rule(group, rule) for rule in group.rules if rule.ingress],
    }


def _rule(group: SecurityGroupFacts, rule: SecurityRuleFacts) -> dict[str, Any]:
    """The older network service's form: a remote is a group's name or a CIDR, ``{}`` is not that kind."""
    anywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    remote = rule.remote_group
    return {
        "id": rule.id,
        "parent_group_id": group.id,
        "ip_protocol": rule.protocol,
        "from_port": rule.port_min,
        "to_port": rule.port_max,
        "group": {"name": remote.name, "tenant_id": remote.project_id} if remote else {},
        "ip_range": {} if remote else {"cidr": rule.remote_cidr or anywhere},
    }


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/servers/{server_id}/os-security-groups",
        handler=index,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List a server's security groups",
    ),
)
