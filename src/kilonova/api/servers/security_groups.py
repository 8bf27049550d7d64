"""``GET /servers/{server_id}/os-security-groups``, and the actions that change them."""

from collections.abc import Callable
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.clients.neutron import changes
from kilonova.clients.neutron.api import NetworkApi
from kilonova.clients.neutron.facts import SecurityGroupFacts, SecurityRuleFacts
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import servers

_NAME: Any = {"type": "string", "minLength": 1, "maxLength": 255}


def index(call: Call) -> Any:
    """The groups of the server's ports."""
    _cell, row = finding.find(call, "os_compute_api:os-security-groups:list")
    found = call.app.networks.groups_of(row["uuid"]) if call.app.networks is not None else ()
    return {"security_groups": [group_view(group) for group in found]}


def _changing(action: str, change: Callable[[NetworkApi, str, str], None]) -> Callable[[Call], None]:
    def handler(call: Call) -> None:
        cell, row = finding.find(call, f"os_compute_api:os-security-groups:{action}")
        finding.unlocked(call, row)
        networks, name = call.app.networks, call.body["name"].strip()
        (group_id,) = changes.group_ids(networks.api, [name], row["project_id"], call.context)
        change(networks.api, row["uuid"], group_id)
        groups = [{"name": group.name, "id": group.id} for group in networks.groups_of(row["uuid"])]
        with cell.database.write() as connection:
            servers.update(connection, row["uuid"], {"security_groups": codec.text(groups)})

    return handler


def group_view(group: SecurityGroupFacts) -> dict[str, Any]:
    """A group as the Compute API has always shown it."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [rule_view(group.id, rule) for rule in group.rules if rule.ingress],
    }


def rule_view(group_id: str, rule: SecurityRuleFacts) -> dict[str, Any]:
    """The older network service's form: a remote is a group's name or a CIDR, ``{}`` is not that kind."""
    low, high = rule.port_min, rule.port_max
    if rule.protocol and low is None and high is None:
        low, high = (1, 65535) if rule.protocol in ("tcp", "udp") else (-1, -1)
    anywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    remote = rule.remote_group
    return {
        "id": rule.id,
        "parent_group_id": group_id,
        "ip_protocol": rule.protocol,
        "from_port": low,
        "to_port": high,
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
    *(
        Endpoint(
            method="POST",
            path="/servers/{server_id}/action",
            action=f"{word}SecurityGroup",
            handler=_changing(word, change),
            body=fields.wrapped(f"{word}SecurityGroup", Field(name="name", schema=_NAME, required=True)),
            status=202,
            summary=f"{word.capitalize()} a server's security group",
        )
        for word, change in (("add", changes.add_group), ("remove", changes.remove_group))
    ),
)
