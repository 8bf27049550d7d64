"""``/os-networks`` and ``/os-tenant-networks``: the project's networks, in the words of an older network service."""

from typing import Any

from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.clients.neutron.contract import NetworkNotFound
from kilonova.clients.neutron.facts import NetworkFacts
from kilonova.kit.http.endpoint import Call, Endpoint

_UNKNOWN = (
    "broadcast",
    "cidr",
    "cidr_v6",
    "dns1",
    "dns2",
    "gateway",
    "gateway_v6",
    "netmask",
    "netmask_v6",
)
_ADMINS_UNKNOWN = (
    "bridge",
    "bridge_interface",
    "created_at",
    "deleted",
    "deleted_at",
    "dhcp_server",
    "dhcp_start",
    "enable_dhcp",
    "host",
    "injected",
    "mtu",
    "multi_host",
    "priority",
    "project_id",
    "rxtx_base",
    "share_address",
    "updated_at",
    "vlan",
    "vpn_private_address",
    "vpn_public_address",
    "vpn_public_port",
)
"""Keys that have been null ever since networks are Neutron's."""


def _network(call: Call, network: NetworkFacts) -> dict[str, Any]:
    unknown = _UNKNOWN + _ADMINS_UNKNOWN if call.context.is_admin else _UNKNOWN
    return {**dict.fromkeys(unknown), "id": network.id, "label": network.name}


def _tenant_network(_call: Call, network: NetworkFacts) -> dict[str, Any]:
    return {"id": network.id, "cidr": "None", "label": network.name}


def _endpoints(path: str, rule: str, view: Any, noun: str) -> tuple[Endpoint, ...]:
    def index(call: Call) -> Any:
        found = call.app.networks.networks(call.context, call.context.project_id)
        return {"networks": [view(call, network) for network in found]}

    def show(call: Call) -> Any:
        wanted = call.params["network_id"]
        found = call.app.networks.networks(call.context, call.context.project_id, [wanted])
        if not found:
            raise NetworkNotFound(network_id=wanted)
        return {"network": view(call, found[0])}

    return (
        Endpoint(
            method="GET",
            path=path,
            handler=index,
            rule=rule + "list",
            until=PROXIES_UNTIL,
            summary=f"List {noun}s",
        ),
        Endpoint(
            method="GET",
            path=path + "/{network_id}",
            handler=show,
            rule=rule + "show",
            until=PROXIES_UNTIL,
            summary=f"Show a {noun}",
        ),
    )


ENDPOINTS = (
    *_endpoints("/os-networks", "os_compute_api:os-networks:", _network, "network"),
    *_endpoints("/os-tenant-networks", "os_compute_api:os-tenant-networks:", _tenant_network, "project's network"),
)
