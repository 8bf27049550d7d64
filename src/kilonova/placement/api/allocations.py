"""``/allocations``, ``/resource_providers/{uuid}/allocations``, ``/reshaper``."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema, is_uuid
from kilonova.placement.api.replies import canonical, dated, provider_uuid
from kilonova.placement.api.shapes import (
    GENERATION,
    INVENTORIES,
    NAME,
    NULL_GENERATION,
    OWNER,
    RESOURCES,
    UUID,
    inventories_of,
)
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.claims import Claim, Unchecked
from kilonova.placement.store.allocations import Consumer
from kilonova.placement.store.reshape import Shape

UUID_FORM = "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_BY_LIST = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "resource_provider": {
                "type": "object",
                "properties": {"uuid": UUID},
                "required": ["uuid"],
                "additionalProperties": False,
            },
            "resources": RESOURCES,
        },
        "required": ["resource_provider", "resources"],
        "additionalProperties": False,
    },
}
_BY_PROVIDER = {
    "type": "object",
    "patternProperties": {
        UUID_FORM: {
            "type": "object",
            "properties": {"resources": RESOURCES, "generation": GENERATION},
            "required": ["resources"],
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
_MAPPINGS = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "array", "minItems": 1, "items": UUID},
}
_OWNERS = (
    Field(name="project_id", schema=OWNER, since=(1, 8), required=True),
    Field(name="user_id", schema=OWNER, since=(1, 8), required=True),
    Field(name="consumer_generation", schema=NULL_GENERATION, since=(1, 28), required=True),
    Field(name="mappings", schema=_MAPPINGS, since=(1, 34)),
    Field(name="consumer_type", schema=NAME, since=(1, 38), required=True),
)
_PUT = Schema(
    Object(
        (
            Field(name="allocations", schema=_BY_LIST, until=(1, 11), required=True),
            Field(
                name="allocations",
                schema={**_BY_PROVIDER, "minProperties": 1},
                since=(1, 12),
                until=(1, 27),
                required=True,
            ),
            Field(name="allocations", schema=_BY_PROVIDER, since=(1, 28), required=True),
            *_OWNERS,
        )
    )
)
_MANY = Object(
    (), pattern={UUID_FORM: Object((Field(name="allocations", schema=_BY_PROVIDER, required=True), *_OWNERS))}
)
_POST = Schema(Object((), pattern=_MANY.pattern, rules={"minProperties": 1}))
_SHAPES = Object(
    (),
    pattern={
        UUID_FORM: Object(
            (
                Field(name="resource_provider_generation", schema=GENERATION, required=True),
                Field(name="inventories", schema=INVENTORIES, required=True),
            )
        )
    },
    rules={"minProperties": 1},
)
_RESHAPE = Schema(
    Object(
        (
            Field(name="inventories", schema=_SHAPES, required=True),
            Field(name="allocations", schema=_MANY, required=True),
        )
    )
)


def _claim(consumer: str, body: Mapping[str, Any]) -> Claim:
    generation = Unchecked.UNCHECKED
    seen = body.get("consumer_generation", generation)
    return Claim(
        consumer=canonical(consumer),
        allocations=_by_provider(body["allocations"]),
        project_id=body.get("project_id"),
        user_id=body.get("user_id"),
        consumer_type=body.get("consumer_type"),
        generation=seen if seen is None or isinstance(seen, Unchecked) else int(seen),
    )


def _by_provider(allocations: Any) -> dict[str, dict[str, int]]:
    """From either form of the body. Raises Invalid for a provider named twice in the list form."""
    if isinstance(allocations, Mapping):
        pairs = [(uuid, one["resources"]) for uuid, one in allocations.items()]
    else:
        pairs = [(one["resource_provider"]["uuid"], one["resources"]) for one in allocations]
    found = {canonical(uuid): {name: int(n) for name, n in resources.items()} for uuid, resources in pairs}
    if len(found) != len(pairs):
        raise Invalid("Invalid input for field/attribute allocations: a resource provider is named twice")
    return found


def _consumer(call: Call) -> str:
    text = call.params["consumer_uuid"]
    if not is_uuid(text):
        raise Invalid(f"Malformed consumer_uuid: {text}")
    return canonical(text)


def show(call: Call) -> Reply:
    """What a consumer holds; nothing is not an error."""
    found = wired(call).allocations.of_consumer(canonical(call.params["consumer_uuid"]))
    if found is None:
        return dated(call, {"allocations": {}})
    return dated(call, _document(call, found), found.updated_at)


def _document(call: Call, consumer: Consumer) -> dict[str, Any]:
    body: dict[str, Any] = {
        "allocations": {
            uuid: {"generation": holding.generation, "resources": holding.resources}
            for uuid, holding in consumer.holdings.items()
        }
    }
    if call.at_least(12):
        body["project_id"] = consumer.project_id
        body["user_id"] = consumer.user_id
    if call.at_least(28):
        body["consumer_generation"] = consumer.generation
    if call.at_least(38):
        body["consumer_type"] = consumer.consumer_type or "unknown"
    return body


def replace(call: Call) -> None:
    """Replace what a consumer holds."""
    wired(call).allocations.replace([_claim(_consumer(call), call.body)])


def manage(call: Call) -> None:
    """Replace what several consumers hold, all or nothing."""
    wired(call).allocations.replace(_claims(call.body))


def _claims(body: Mapping[str, Any]) -> list[Claim]:
    claims = [_claim(consumer, one) for consumer, one in body.items()]
    if len({claim.consumer for claim in claims}) != len(claims):
        raise Invalid("Invalid input for field/attribute allocations: a consumer is named twice")
    return claims


def delete(call: Call) -> None:
    """Release all a consumer holds."""
    consumer = call.params["consumer_uuid"]
    if not wired(call).allocations.release(canonical(consumer)):
        raise NotFound(f"No allocations for consumer '{consumer}'")


def of_provider(call: Call) -> Reply:
    """Who holds what of a provider."""
    provider, held, generations = wired(call).allocations.of_provider(provider_uuid(call))
    shown: dict[str, dict[str, Any]] = {uuid: {"resources": resources} for uuid, resources in held.items()}
    if call.at_least(28):
        for uuid, one in shown.items():
            one["consumer_generation"] = generations[uuid]
    return dated(call, {"allocations": shown, "resource_provider_generation": provider.generation}, provider.updated_at)


def reshape(call: Call) -> None:
    """Move inventories and what is held of them between providers."""
    shapes = [
        Shape(
            canonical(uuid),
            int(one["resource_provider_generation"]),
            inventories_of(one["inventories"], may_reserve_all=True),
        )
        for uuid, one in call.body["inventories"].items()
    ]
    wired(call).reshaper.apply(shapes, _claims(call.body["allocations"]))


_ONE = "/allocations/{consumer_uuid}"
_RULE = "placement:allocations:"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/allocations",
        handler=manage,
        since=(1, 13),
        rule=f"{_RULE}manage",
        body=_POST,
        status=204,
    ),
    Endpoint(method="GET", path=_ONE, handler=show, rule=f"{_RULE}list"),
    Endpoint(method="PUT", path=_ONE, handler=replace, rule=f"{_RULE}update", body=_PUT, status=204),
    Endpoint(method="DELETE", path=_ONE, handler=delete, rule=f"{_RULE}delete", status=204),
    Endpoint(
        method="GET",
        path="/resource_providers/{uuid}/allocations",
        handler=of_provider,
        rule="placement:resource_providers:allocations:list",
    ),
    Endpoint(
        method="POST",
        path="/reshaper",
        handler=reshape,
        since=(1, 30),
        rule="placement:reshaper:reshape",
        body=_RESHAPE,
        status=204,
    ),
)
