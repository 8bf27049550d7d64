"""``/os-floating-ips`` and ``/os-floating-ip-pools``: Neutron's floating IPs and external networks."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.clients.keystone.errors import RemoteConflict, RemoteNotFound
from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field

_PATH = "/os-floating-ips"
_RULE = "os_compute_api:os-floating-ips:"
_CREATE = fields.body(Field(name="pool", schema=fields.nullable(fields.TEXT_255)))
_POOL_EMPTY = "IpAddressGenerationFailure"
Row = Mapping[str, Any]


class FloatingIpNotFound(NotFound):
    """No such floating IP in the project."""

    template = "Floating IP not found for ID {ident}"


class PoolNotFound(NotFound):
    """No external network of this name or id."""

    template = "Floating IP pool {pool} not found."


class PoolEmpty(NotFound):
    """The external network has no more addresses."""

    template = "No more floating IPs in pool {pool}."


def _pools(call: Call) -> list[Row]:
    found: list[Row] = call.app.networks.api.rows("networks", [("router:external", "true")], call.context)
    return found


def _views(call: Call, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Two further calls however many rows there are."""
    names = {pool["id"]: pool["name"] or pool["id"] for pool in _pools(call)} if rows else {}
    wanted = sorted({row["port_id"] for row in rows if row["port_id"]})
    ports = call.app.networks.api.rows("ports", [("id", ident) for ident in wanted], call.context) if wanted else []
    servers = {p["id"]: p["device_id"] for p in ports if (p.get("device_owner") or "").startswith("compute:")}
    return [
        {
            "id": row["id"],
            "ip": row["floating_ip_address"],
            "pool": names.get(row["floating_network_id"], row["floating_network_id"]),
            "fixed_ip": row["fixed_ip_address"],
            "instance_id": servers.get(row["port_id"]),
        }
        for row in rows
    ]


def index(call: Call) -> Any:
    """The project's floating IPs."""
    query = [("project_id", str(call.context.project_id))]
    rows = call.app.networks.api.rows("floatingips", query, call.context)
    return {"floating_ips": _views(call, rows)}


def show(call: Call) -> Any:
    """One of them."""
    ident = call.params["floating_ip_id"]
    try:
        row = call.app.networks.api.show("floatingips", ident, (), call.context)
    except RemoteNotFound:
        raise FloatingIpNotFound(ident=ident) from None
    return {"floating_ip": _views(call, [row])[0]}


def create(call: Call) -> Any:
    """An address from a pool, or from the first one."""
    wanted = (call.body or {}).get("pool")
    pools = [pool for pool in _pools(call) if wanted in (None, pool["id"], pool["name"])]
    if not pools:
        raise PoolNotFound(pool=wanted)
    body = {"floating_network_id": pools[0]["id"], "project_id": call.context.project_id}
    try:
        (row,) = call.app.networks.api.create("floatingips", [body], call.context)
    except RemoteConflict as error:
        if error.fields["code"] != _POOL_EMPTY:
            raise
        raise PoolEmpty(pool=wanted) from error
    return {"floating_ip": _views(call, [row])[0]}


def delete(call: Call) -> None:
    """Give the address back, wherever it leads."""
    ident = call.params["floating_ip_id"]
    if not call.app.networks.api.delete("floatingips", ident, call.context):
        raise FloatingIpNotFound(ident=ident)


def pools(call: Call) -> Any:
    """Names of the external networks."""
    return {"floating_ip_pools": [{"name": pool["name"] or pool["id"]} for pool in _pools(call)]}


def _endpoint(method: str, path: str, handler: Any, rule: str, summary: str, **more: Any) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, rule=rule, until=PROXIES_UNTIL, summary=summary, **more)


ENDPOINTS = (
    _endpoint("GET", _PATH, index, _RULE + "list", "List floating IPs"),
    _endpoint("POST", _PATH, create, _RULE + "create", "Allocate a floating IP", body=_CREATE),
    _endpoint("GET", _PATH + "/{floating_ip_id}", show, _RULE + "show", "Show a floating IP"),
    _endpoint("DELETE", _PATH + "/{floating_ip_id}", delete, _RULE + "delete", "Release a floating IP", status=202),
    _endpoint("GET", "/os-floating-ip-pools", pools, "os_compute_api:os-floating-ip-pools", "List pools"),
)
