"""``/resource_providers``."""

from typing import Any
from uuid import uuid4

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.placement.api.replies import canonical, dated, href, location, provider_uuid
from kilonova.placement.api.shapes import NO_NUL, UUID
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.query import parse_provider_filter
from kilonova.placement.store.providers import Keep, ProviderRow

_NAME = Field(
    name="name", schema={"type": "string", "minLength": 1, "maxLength": 200, "pattern": NO_NUL}, required=True
)
_PARENT = Field(name="parent_provider_uuid", schema={"anyOf": [UUID, {"type": "null"}]}, since=(1, 14))
_CREATE = Schema(Object((_NAME, Field(name="uuid", schema=UUID), _PARENT)))
_UPDATE = Schema(Object((_NAME, _PARENT)))
_LINKS = (("inventories", 0), ("usages", 0), ("aggregates", 1), ("traits", 6), ("allocations", 11))
"""Relations and the version (1.x) each came with; ``self`` is first."""


def document(call: Call, provider: ProviderRow) -> dict[str, Any]:
    """A provider as replies show it."""
    path = href(call, f"/resource_providers/{provider.uuid}")
    links = [{"rel": "self", "href": path}]
    links += [{"rel": rel, "href": f"{path}/{rel}"} for rel, since in _LINKS if call.at_least(since)]
    found: dict[str, Any] = {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "links": links,
    }
    if call.at_least(14):
        found["parent_provider_uuid"] = provider.parent_uuid
        found["root_provider_uuid"] = provider.root_uuid
    return found


def index(call: Call) -> Reply:
    """List providers, filtered."""
    rows = wired(call).providers.matching(parse_provider_filter(call.query, call.version[1]))
    newest = max((row.updated_at for row in rows), default=None)
    return dated(call, {"resource_providers": [document(call, row) for row in rows]}, newest)


def create(call: Call) -> Reply:
    """Make a provider."""
    body = call.body
    uuid = canonical(body["uuid"]) if "uuid" in body else str(uuid4())
    parent = body.get("parent_provider_uuid")
    row = wired(call).providers.create(uuid, body["name"], None if parent is None else canonical(parent))
    where = location(call, f"/resource_providers/{uuid}")
    if call.at_least(20):
        return dated(call, document(call, row), row.updated_at, headers=where)
    return Reply(None, headers=where)


def show(call: Call) -> Reply:
    """One provider."""
    row = wired(call).providers.get(provider_uuid(call))
    return dated(call, document(call, row), row.updated_at)


def update(call: Call) -> Reply:
    """Rename, or hang elsewhere in the tree."""
    parent: str | Keep | None = Keep.KEEP
    if "parent_provider_uuid" in call.body:
        wanted = call.body["parent_provider_uuid"]
        parent = None if wanted is None else canonical(wanted)
    row = wired(call).providers.update(provider_uuid(call), call.body["name"], parent, may_move=call.at_least(37))
    return dated(call, document(call, row), row.updated_at)


def delete(call: Call) -> None:
    """Remove a provider."""
    wired(call).providers.delete(provider_uuid(call))


_RULE = "placement:resource_providers:"
ENDPOINTS = (
    Endpoint(method="GET", path="/resource_providers", handler=index, rule=f"{_RULE}list"),
    Endpoint(
        method="POST",
        path="/resource_providers",
        handler=create,
        rule=f"{_RULE}create",
        body=_CREATE,
        status=201,
        statuses=(((1, 20), 200),),
    ),
    Endpoint(method="GET", path="/resource_providers/{uuid}", handler=show, rule=f"{_RULE}show"),
    Endpoint(method="PUT", path="/resource_providers/{uuid}", handler=update, rule=f"{_RULE}update", body=_UPDATE),
    Endpoint(method="DELETE", path="/resource_providers/{uuid}", handler=delete, rule=f"{_RULE}delete", status=204),
)
