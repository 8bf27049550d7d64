"""``/resource_providers/{uuid}/inventories`` and ``…/usages``."""

from dataclasses import asdict
from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.errors import HttpError
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.placement.api.replies import dated, location, provider_uuid
from kilonova.placement.api.shapes import GENERATION, INVENTORIES, INVENTORY_VALUES, NAME, inventories_of, inventory_of
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.errors import InventoryNotFound
from kilonova.placement.domain.inventory import Inventory
from kilonova.placement.domain.names import is_name_form
from kilonova.placement.store.inventories import Held

_SEEN = Field(name="resource_provider_generation", schema=GENERATION, required=True)
_MAYBE_SEEN = Field(name="resource_provider_generation", schema=GENERATION)
_VALUES = tuple(Field(name=k, schema=v, required=k == "total") for k, v in INVENTORY_VALUES.items())
_REPLACE = Schema(Object((_SEEN, Field(name="inventories", schema=INVENTORIES, required=True))))
_CREATE = Schema(Object((_MAYBE_SEEN, Field(name="resource_class", schema=NAME, required=True), *_VALUES)))
_UPDATE = Schema(Object((_SEEN, *_VALUES)))


def _document(inventory: Inventory) -> dict[str, Any]:
    return asdict(inventory)


def _all(generation: int, inventories: dict[str, Inventory]) -> dict[str, Any]:
    shown = {name: _document(inventory) for name, inventory in inventories.items()}
    return {"resource_provider_generation": generation, "inventories": shown}


def _one(generation: int, inventory: Inventory) -> dict[str, Any]:
    return {"resource_provider_generation": generation, **_document(inventory)}


def _class_of(call: Call, uuid: str) -> str:
    name = call.params["resource_class"]
    if not is_name_form(name):
        raise InventoryNotFound(name=name, uuid=uuid)
    return name


def _seen(call: Call) -> int | None:
    seen = call.body.get("resource_provider_generation")
    return None if seen is None else int(seen)


def index(call: Call) -> Reply:
    """All inventories of a provider."""
    provider, found = wired(call).inventories.of(provider_uuid(call))
    newest = max((held.updated_at for held in found.values()), default=None)
    return dated(call, _all(provider.generation, {n: held.inventory for n, held in found.items()}), newest)


def create(call: Call) -> Reply:
    """Inventory of one more class."""
    uuid, name = provider_uuid(call), call.body["resource_class"]
    inventory = inventory_of(name, call.body, may_reserve_all=call.at_least(26))
    generation = wired(call).inventories.add(uuid, name, inventory, _seen(call))
    where = location(call, f"/resource_providers/{uuid}/inventories/{name}")
    return dated(call, _one(generation, inventory), headers=where)


def replace(call: Call) -> Reply:
    """Other inventories instead of the present ones."""
    uuid = provider_uuid(call)
    wanted = inventories_of(call.body["inventories"], may_reserve_all=call.at_least(26))
    generation = wired(call).inventories.replace(uuid, wanted, _seen(call))
    return dated(call, _all(generation, dict(sorted(wanted.items()))))


def clear(call: Call) -> None:
    """Remove all inventory."""
    wired(call).inventories.remove(provider_uuid(call))


def clear_unknown(call: Call) -> None:
    """Before 1.5 the collection could not be deleted."""
    del call
    raise HttpError(405, "The method DELETE is not allowed for this resource before 1.5.", {"Allow": "GET, POST, PUT"})


def show(call: Call) -> Reply:
    """One inventory."""
    uuid = provider_uuid(call)
    provider, held = wired(call).inventories.get(uuid, _class_of(call, uuid))
    return dated(call, _one(provider.generation, held.inventory), held.updated_at)


def update(call: Call) -> Reply:
    """New values for one inventory."""
    uuid = provider_uuid(call)
    name = _class_of(call, uuid)
    inventory = inventory_of(name, call.body, may_reserve_all=call.at_least(26))
    generation = wired(call).inventories.change(uuid, name, inventory, int(call.body["resource_provider_generation"]))
    return dated(call, _one(generation, inventory))


def delete(call: Call) -> None:
    """Remove one inventory."""
    uuid = provider_uuid(call)
    wired(call).inventories.remove(uuid, _class_of(call, uuid))


def usages(call: Call) -> Reply:
    """How much of each class is used."""
    provider, found = wired(call).inventories.of(provider_uuid(call))
    used = {name: held.used for name, held in found.items()}
    return dated(call, {"resource_provider_generation": provider.generation, "usages": used}, _newest(found))


def _newest(found: dict[str, Held]) -> Any:
    return max((held.updated_at for held in found.values()), default=None)


_ALL = "/resource_providers/{uuid}/inventories"
_EACH = "/resource_providers/{uuid}/inventories/{resource_class}"
_RULE = "placement:resource_providers:inventories:"
ENDPOINTS = (
    Endpoint(method="GET", path=_ALL, handler=index, rule=f"{_RULE}list"),
    Endpoint(method="POST", path=_ALL, handler=create, rule=f"{_RULE}create", body=_CREATE, status=201),
    Endpoint(method="PUT", path=_ALL, handler=replace, rule=f"{_RULE}update", body=_REPLACE),
    Endpoint(method="DELETE", path=_ALL, handler=clear, rule=f"{_RULE}delete", since=(1, 5), status=204),
    Endpoint(method="DELETE", path=_ALL, handler=clear_unknown, until=(1, 4)),
    Endpoint(method="GET", path=_EACH, handler=show, rule=f"{_RULE}show"),
    Endpoint(method="PUT", path=_EACH, handler=update, rule=f"{_RULE}update", body=_UPDATE),
    Endpoint(method="DELETE", path=_EACH, handler=delete, rule=f"{_RULE}delete", status=204),
    Endpoint(
        method="GET",
        path="/resource_providers/{uuid}/usages",
        handler=usages,
        rule="placement:resource_providers:usages",
    ),
)
