"""Actions up to 2.43 that change a server's addresses: addFixedIp, removeFixedIp, addFloatingIp, removeFloatingIp."""

from collections.abc import Callable, Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.clients.keystone.errors import RemoteConflict
from kilonova.clients.neutron import changes
from kilonova.clients.neutron.contract import NoMoreAddresses, NotOnNetwork
from kilonova.kit.errors import Conflict, Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.operations import refresh_network

_UNTIL = (2, 43)
_ADDRESS: Any = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
Row = Mapping[str, Any]


class FloatingIpNotFound(NotFound):
    """The project has no such floating IP."""

    template = "Floating IP not found for address {address}."


def _changing(rule: str, change: Callable[[Call, Row], None]) -> Callable[[Call], None]:
    """Find the server, change its ports, read them anew."""

    def handler(call: Call) -> None:
        cell, row = finding.find(call, rule)
        finding.unlocked(call, row)
        change(call, row)
        refresh_network.accept(call.app.clock, call.app.bell, call.context, cell, [row])

    return handler


def _add_fixed(call: Call, row: Row) -> None:
    network_id = call.body["networkId"]
    try:
        changes.add_fixed_ip(call.app.networks.api, row["uuid"], network_id)
    except (NoMoreAddresses, NotOnNetwork) as error:
        raise Invalid(f"networkId: {error}") from None


def _remove_fixed(call: Call, row: Row) -> None:
    try:
        changes.remove_fixed_ip(call.app.networks.api, row["uuid"], call.body["address"])
    except NotOnNetwork as error:
        raise Invalid(f"address: {error}") from None


def _floating(call: Call, address: str) -> Any:
    found = call.app.networks.api.rows("floatingips", [("floating_ip_address", address)], call.context)
    if not found:
        raise FloatingIpNotFound(address=address)
    return found[0]


def _add_floating(call: Call, row: Row) -> None:
    api, wanted = call.app.networks.api, call.body.get("fixed_address")
    floating = _floating(call, call.body["address"])
    places = [
        (port["id"], ip["ip_address"])
        for port in api.rows("ports", [("device_id", row["uuid"])])
        for ip in port["fixed_ips"]
        if (ip["ip_address"] == wanted if wanted else ":" not in ip["ip_address"])
    ]
    if not places:
        what = f"address {wanted}" if wanted else "IPv4 address"
        raise Invalid(f"addFloatingIp: the server has no fixed {what}")
    port_id, fixed = places[0]
    values = {"port_id": port_id, "fixed_ip_address": fixed}
    try:
        api.update("floatingips", floating["id"], values, call.context)
    except RemoteConflict as error:  # the address has a floating IP already; this action has never answered 409
        raise Invalid(f"addFloatingIp: {error}") from None


def _remove_floating(call: Call, row: Row) -> None:
    api, floating = call.app.networks.api, _floating(call, call.body["address"])
    mine = {port["id"] for port in api.rows("ports", [("device_id", row["uuid"])])}
    if floating["port_id"] not in mine:
        raise Conflict(f"Floating IP {call.body['address']} is not associated with server {row['uuid']}.")
    api.update("floatingips", floating["id"], {"port_id": None}, call.context)


def _action(action: str, rule: str, change: Callable[[Call, Row], None], summary: str, *body: Field) -> Endpoint:
    return Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action=action,
        until=_UNTIL,
        handler=_changing("os_compute_api:" + rule, change),
        body=fields.wrapped(action, *body),
        status=202,
        summary=summary,
    )


_NAMED = Field(name="address", schema=_ADDRESS, required=True)
ENDPOINTS = (
    _action(
        "addFixedIp",
        "os-multinic:add",
        _add_fixed,
        "Add an address",
        Field(name="networkId", schema={"type": ["string", "integer"], "minLength": 1}, required=True),
    ),
    _action("removeFixedIp", "os-multinic:remove", _remove_fixed, "Remove an address", _NAMED),
    _action(
        "addFloatingIp",
        "os-floating-ips:add",
        _add_floating,
        "Associate a floating IP",
        _NAMED,
        Field(name="fixed_address", schema=_ADDRESS),
    ),
    _action("removeFloatingIp", "os-floating-ips:remove", _remove_floating, "Disassociate a floating IP", _NAMED),
)
