"""What the service says about itself: versions, extensions, agents, availability zones, empty collections."""

import dataclasses
from typing import Any

from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.lab.networks import errors
from kilonova.lab.networks.networks import AVAILABILITY_ZONE
from kilonova.lab.networks.work import caller_of

_AGENT_ID = "6c61622d-6e65-4774-b72d-6b6e00000001"
_STARTED = "2026-01-01 00:00:00"

EXTENSIONS = {
    "agent": "agent",
    "allowed-address-pairs": "Allowed Address Pairs",
    "auto-allocated-topology": "Auto Allocated Topology Services",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "external-net": "Neutron external network",
    "filter-validation": "Filter parameters validation",
    "fip-port-details": "Floating IP Port Details Extension",
    "ip-substring-filtering": "IP address substring filtering",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "port-security-groups-filtering": "Port filtering on security groups",
    "project-id": "project_id field enabled",
    "quota_details": "Quota details management support",
    "quotas": "Quota management support",
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute: network, subnet, port, router …",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
}
COLLECTIONS = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules")


def _versions(call: Call) -> Any:
    link = {"rel": "self", "href": f"{call.base_url}/v2.0/"}
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}


def _resources(call: Call) -> Any:
    return {
        "resources": [
            {
                "name": name.removesuffix("s").replace("-", "_"),
                "collection": name,
                "links": [{"rel": "self", "href": f"{call.base_url}/v2.0/{name}"}],
            }
            for name in COLLECTIONS
        ]
    }


def _extension(alias: str) -> dict[str, Any]:
    name = EXTENSIONS[alias]
    text = f"{name}, as the Kilonova lab serves it (not for production)"
    return {"alias": alias, "name": name, "description": text, "updated": "2026-01-01T00:00:00-00:00", "links": []}


def _extensions(_call: Call) -> Any:
    return {"extensions": [_extension(alias) for alias in EXTENSIONS]}


def _show_extension(call: Call) -> Any:
    alias = call.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension with alias {alias} does not exist")
    return {"extension": _extension(alias)}


def _agent(call: Call) -> dict[str, Any]:
    """One entry: the lab does everything in its own process."""
    if not caller_of(call.context).privileged:
        raise errors.PolicyNotAuthorized(action="rule:get_agent")
    lab = call.app
    return {
        "id": _AGENT_ID,
        "agent_type": "Kilonova lab networks (not for production)",
        "binary": "kilonova",
        "topic": "N/A",
        "host": lab.options.host,
        "availability_zone": AVAILABILITY_ZONE,
        "admin_state_up": True,
        "alive": True,
        "resources_synced": True,
        "created_at": _STARTED,
        "started_at": _STARTED,
        "heartbeat_timestamp": _STARTED,
        "description": "Linux bridges, DHCP, NAT and security groups of one host, in the service's own process",
        "configurations": dataclasses.asdict(lab.abilities()),
    }


def _agents(call: Call) -> Any:
    agent = _agent(call)
    simple = {k: v for k, v in call.query.items() if k in agent and k != "fields"}
    shown = [agent] if all(str(agent[k]).lower() in [x.lower() for x in v] for k, v in simple.items()) else []
    return {"agents": shown}


def _show_agent(call: Call) -> Any:
    agent = _agent(call)
    if call.params["id"] != agent["id"]:
        raise NotFound(f"Agent {call.params['id']} could not be found.")
    return {"agent": agent}


def _zones(_call: Call) -> Any:
    return {
        "availability_zones": [
            {"name": AVAILABILITY_ZONE, "resource": resource, "state": "available"}
            for resource in ("network", "router")
        ]
    }


def _no_pools(_call: Call) -> Any:
    return {"subnetpools": []}


def _no_pool(call: Call) -> Any:
    raise NotFound(f"Subnet pool {call.params['id']} could not be found.")


ENDPOINTS = (
    Endpoint(method="GET", path="/", handler=_versions, public=True),
    Endpoint(method="GET", path="/v2.0", handler=_resources, public=True),
    Endpoint(method="GET", path="/v2.0/extensions", handler=_extensions),
    Endpoint(method="GET", path="/v2.0/extensions/{alias}", handler=_show_extension),
    Endpoint(method="GET", path="/v2.0/agents", handler=_agents),
    Endpoint(method="GET", path="/v2.0/agents/{id}", handler=_show_agent),
    Endpoint(method="GET", path="/v2.0/availability_zones", handler=_zones),
    Endpoint(method="GET", path="/v2.0/subnetpools", handler=_no_pools),
    Endpoint(method="GET", path="/v2.0/subnetpools/{id}", handler=_no_pool),
)
