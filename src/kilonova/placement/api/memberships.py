"""``/resource_providers/{uuid}/traits`` and ``…/aggregates``."""

from collections.abc import Sequence
from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.placement.api.replies import dated, provider_uuid
from kilonova.placement.api.shapes import GENERATION, NAME, UUID
from kilonova.placement.api.wiring import wired
from kilonova.placement.store.memberships import newest
from kilonova.placement.store.names import Named

_SEEN = Field(name="resource_provider_generation", schema=GENERATION, required=True)
_TRAITS = Schema(Object((_SEEN, Field(name="traits", schema={"type": "array", "items": NAME}, required=True))))
_UUIDS = {"type": "array", "items": UUID, "uniqueItems": True}
_LIST = Schema(_UUIDS)
_OBJECT = Schema(Object((_SEEN, Field(name="aggregates", schema=_UUIDS, required=True))))


def _traits(generation: int, traits: Sequence[Named]) -> dict[str, Any]:
    return {"traits": [trait.name for trait in traits], "resource_provider_generation": generation}


def traits(call: Call) -> Reply:
    """The traits of a provider."""
    provider, found = wired(call).provider_traits.of(provider_uuid(call))
    return dated(call, _traits(provider.generation, found), newest(found))


def replace_traits(call: Call) -> Reply:
    """Other traits instead of the present ones."""
    seen = int(call.body["resource_provider_generation"])
    generation, found = wired(call).provider_traits.replace(provider_uuid(call), call.body["traits"], seen)
    return dated(call, _traits(generation, found), newest(found))


def clear_traits(call: Call) -> None:
    """Remove all traits."""
    wired(call).provider_traits.replace(provider_uuid(call), (), None)


def _aggregates(call: Call, generation: int, aggregates: Sequence[str]) -> Reply:
    body: dict[str, Any] = {"aggregates": list(aggregates)}
    if call.at_least(19):
        body["resource_provider_generation"] = generation
    return dated(call, body)


def aggregates(call: Call) -> Reply:
    """The aggregates of a provider."""
    provider, found = wired(call).provider_aggregates.of(provider_uuid(call))
    return _aggregates(call, provider.generation, found)


def replace_aggregates(call: Call) -> Reply:
    """Other aggregates; a list before 1.19, an object with the generation after."""
    counted = call.at_least(19)
    wanted = call.body["aggregates"] if counted else call.body
    seen = int(call.body["resource_provider_generation"]) if counted else None
    uuid = provider_uuid(call)
    store = wired(call).provider_aggregates
    generation = store.replace(uuid, wanted, seen, counted=counted)
    return _aggregates(call, generation, store.of(uuid)[1])


_TRAITS_OF = "/resource_providers/{uuid}/traits"
_AGGREGATES_OF = "/resource_providers/{uuid}/aggregates"
_RULE = "placement:resource_providers:"
ENDPOINTS = (
    Endpoint(method="GET", path=_TRAITS_OF, handler=traits, since=(1, 6), rule=f"{_RULE}traits:list"),
    Endpoint(
        method="PUT",
        path=_TRAITS_OF,
        handler=replace_traits,
        since=(1, 6),
        rule=f"{_RULE}traits:update",
        body=_TRAITS,
    ),
    Endpoint(
        method="DELETE",
        path=_TRAITS_OF,
        handler=clear_traits,
        since=(1, 6),
        rule=f"{_RULE}traits:delete",
        status=204,
    ),
    Endpoint(method="GET", path=_AGGREGATES_OF, handler=aggregates, since=(1, 1), rule=f"{_RULE}aggregates:list"),
    Endpoint(
        method="PUT",
        path=_AGGREGATES_OF,
        handler=replace_aggregates,
        since=(1, 1),
        until=(1, 18),
        rule=f"{_RULE}aggregates:update",
        body=_LIST,
    ),
    Endpoint(
        method="PUT",
        path=_AGGREGATES_OF,
        handler=replace_aggregates,
        since=(1, 19),
        rule=f"{_RULE}aggregates:update",
        body=_OBJECT,
    ),
)
