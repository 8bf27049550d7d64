"""``/servers/{server_id}/metadata``."""

from typing import Any

from kilonova.api import fields, quota_limits
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.domain import quota
from kilonova.kit import codec
from kilonova.kit.errors import Conflict, Invalid, NotFound, OverQuota
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Schema
from kilonova.store import servers

_RULES = "os_compute_api:server-metadata:"
_STABLE = frozenset({"active", "stopped", "paused", "suspended", "error"})


class KeyNotFound(NotFound):
    """The server has no such metadata key."""

    template = "Metadata item was not found"


def index(call: Call) -> Any:
    """All of it."""
    _cell, row = finding.find(call, _RULES + "index")
    return {"metadata": codec.loads(row["metadata"])}


def show(call: Call) -> Any:
    """One item."""
    _cell, row = finding.find(call, _RULES + "show")
    return {"meta": _item(row, call.params["key"])}


def _item(row: Any, key: str) -> dict[str, str]:
    found = codec.loads(row["metadata"])
    if key not in found:
        raise KeyNotFound
    return {key: found[key]}


def merge(call: Call) -> Any:
    """Add and change items."""
    return {"metadata": _write(call, "create", lambda old: {**old, **call.body["metadata"]})}


def replace(call: Call) -> Any:
    """Set all items."""
    return {"metadata": _write(call, "update_all", lambda _old: dict(call.body["metadata"]))}


def update(call: Call) -> Any:
    """Set one item; the body must name the path's key."""
    meta, key = call.body["meta"], call.params["key"]
    if list(meta) != [key]:
        raise Invalid("Request body and URI mismatch: the body's only key must be the one of the path")
    _write(call, "update", lambda old: {**old, **meta})
    return {"meta": meta}


def delete(call: Call) -> None:
    """Remove one item."""

    def without(old: dict[str, str]) -> dict[str, str]:
        if call.params["key"] not in old:
            raise KeyNotFound
        return {k: v for k, v in old.items() if k != call.params["key"]}

    _write(call, "delete", without)


def _write(call: Call, rule: str, change: Any) -> dict[str, str]:
    cell, row = finding.find(call, _RULES + rule)
    finding.unlocked(call, row)
    if row["vm_state"] not in _STABLE:
        raise Conflict(f"Cannot '{rule} metadata' instance {row['uuid']} while it is in vm_state {row['vm_state']}")
    old = codec.loads(row["metadata"])
    changed: dict[str, str] = change(old)
    if len(changed) > len(old):
        limit = quota_limits.of_caller(call)["metadata_items"]
        if quota.exceeds(limit, 0, len(changed)):
            raise OverQuota(f"Maximum number of metadata items exceeds {limit}")
    with cell.database.write() as connection:
        values = {"metadata": codec.text(changed), "updated_at": finding.now(call)}
        same = servers.metadata_is(row["metadata"])
        if not servers.update(connection, row["uuid"], values, same):
            raise Conflict(f"The metadata of instance {row['uuid']} was changed by another request; try again")
    return changed


_BODY = fields.body(Field(name="metadata", schema=fields.METADATA, required=True))
_ITEM_BODY: Schema = fields.body(
    Field(name="meta", schema={**fields.METADATA, "minProperties": 1, "maxProperties": 1}, required=True)
)
_PATH = "/servers/{server_id}/metadata"
ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List metadata",
    ),
    Endpoint(method="POST", path=_PATH, handler=merge, body=_BODY, summary="Add metadata"),
    Endpoint(method="PUT", path=_PATH, handler=replace, body=_BODY, summary="Replace metadata"),
    Endpoint(
        method="GET",
        path=_PATH + "/{key}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a metadata item",
    ),
    Endpoint(method="PUT", path=_PATH + "/{key}", handler=update, body=_ITEM_BODY, summary="Set a metadata item"),
    Endpoint(method="DELETE", path=_PATH + "/{key}", handler=delete, status=204, summary="Remove a metadata item"),
)
