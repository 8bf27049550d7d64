"""``/servers/{server_id}/os-interface``: the server's ports, plugging one more in and one out."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.api.servers.schema import TAG
from kilonova.clients.neutron.contract import NetworkAmbiguous, PortNotFound
from kilonova.clients.neutron.facts import NetworkRequest, PortFacts
from kilonova.kit import codec
from kilonova.kit.errors import Invalid, KilonovaError
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Array, Field, Object
from kilonova.operations.attach_interface import AttachInterface
from kilonova.operations.detach_interface import DetachInterface

_PATH = "/servers/{server_id}/os-interface"
_RULE = "os_compute_api:os-attach-interfaces:"
_DOCUMENT = Document(
    (
        Out("net_id", "network_id"),
        Out("port_id", "id"),
        Out("mac_addr", "mac"),
        Out("port_state", "status"),
        Out("fixed_ips"),
        Out("tag", since=(2, 70)),
    )
)
_ADDRESS = Object(
    (
        Field(
            name="ip_address",
            required=True,
            schema={"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        ),
    )
)
_CREATE = fields.wrapped(
    "interfaceAttachment",
    Field(name="net_id", schema=fields.UUID),
    Field(name="port_id", schema=fields.UUID),
    Field(name="fixed_ips", schema=Array(_ADDRESS, {"minItems": 1, "maxItems": 1})),
    Field(name="tag", schema=TAG, since=(2, 49)),
)


class AttachFailed(KilonovaError):
    """The host or the network service could not do it (500)."""

    template = "Failed to attach network adapter device to {uuid}: {reason}"


def _view(call: Call, port: PortFacts) -> dict[str, Any]:
    fixed = [{"subnet_id": ip.subnet.id, "ip_address": ip.address} for ip in port.fixed_ips]
    facts = {"fixed_ips": fixed, **{name: getattr(port, name) for name in ("network_id", "id", "mac", "status", "tag")}}
    return _DOCUMENT.compile(call.version)(facts, None)


def _ports(call: Call, row: Mapping[str, Any]) -> tuple[PortFacts, ...]:
    known = [
        PortFacts(
            id=nic["port_id"], mac=nic["mac"], network_id=nic["network_id"], network_name=nic["label"], tag=nic["tag"]
        )
        for nic in codec.loads(row["network_info"])
    ]
    found: tuple[PortFacts, ...] = call.app.networks.network_info(row["uuid"], known)
    return found


def index(call: Call) -> Any:
    """The server's ports as the network service has them now."""
    _cell, row = finding.find(call, _RULE + "list")
    return {"interfaceAttachments": [_view(call, port) for port in _ports(call, row)]}


def _find(call: Call, row: Mapping[str, Any], port_id: str) -> PortFacts:
    for port in _ports(call, row):
        if port.id == port_id:
            return port
    raise PortNotFound(port_id=port_id)


def show(call: Call) -> Any:
    """One port of the server."""
    _cell, row = finding.find(call, _RULE + "show")
    return {"interfaceAttachment": _view(call, _find(call, row, call.params["port_id"]))}


def create(call: Call) -> Any:
    """Plug a port in, and answer when that is done. Raises what checking the wish raises, AttachFailed."""
    cell, row = finding.find(call, _RULE + "create")
    finding.unlocked(call, row)
    request = _checked(call, row, call.body["interfaceAttachment"])
    before = {nic["port_id"] for nic in codec.loads(row["network_info"])}
    operation = finding.acceptor(call).accept(call.context, cell, row, "attach_interface", AttachInterface(request))
    ended = finding.outcome(call, cell, operation)
    if ended["state"] != "done":
        raise AttachFailed(uuid=row["uuid"], reason=ended["error"] or "it takes longer than this request may")
    _cell, after = finding.find(call, _RULE + "create")
    new = [nic["port_id"] for nic in codec.loads(after["network_info"]) if nic["port_id"] not in before]
    return {"interfaceAttachment": _view(call, _find(call, after, request.port_id or new[-1]))}


def _checked(call: Call, row: Mapping[str, Any], wanted: Mapping[str, Any]) -> NetworkRequest:
    network, port, fixed = wanted.get("net_id"), wanted.get("port_id"), wanted.get("fixed_ips")
    if network and port:
        raise Invalid("interfaceAttachment: net_id and port_id cannot be given together")
    if fixed and not network:
        raise Invalid("interfaceAttachment: fixed_ips needs a net_id")
    asked = NetworkRequest(
        network_id=network, port_id=port, fixed_ip=fixed[0]["ip_address"] if fixed else None, tag=wanted.get("tag")
    )
    named = (asked,) if network or port else None
    try:
        found = call.app.networks.validate(call.context, row["project_id"], named)
    except NetworkAmbiguous as error:
        raise Invalid(f"interfaceAttachment: {error}") from None
    if not found:
        raise Invalid("interfaceAttachment: the project has no network; give a net_id or a port_id")
    request: NetworkRequest = found[0]
    return request


def delete(call: Call) -> None:
    """Plug a port out."""
    cell, row = finding.find(call, _RULE + "delete")
    finding.unlocked(call, row)
    port = _find(call, row, call.params["port_id"])
    finding.acceptor(call).accept(call.context, cell, row, "detach_interface", DetachInterface(port.id))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List a server's ports",
    ),
    Endpoint(method="POST", path=_PATH, handler=create, body=_CREATE, summary="Plug a port into a server"),
    Endpoint(
        method="GET",
        path=_PATH + "/{port_id}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a server's port",
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{port_id}",
        handler=delete,
        status=202,
        summary="Unplug a port from a server",
    ),
)
