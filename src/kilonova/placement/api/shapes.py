"""Pieces of request schemas that several resources share."""

from collections.abc import Mapping
from typing import Any

from kilonova.kit.http.schema import Object
from kilonova.placement.domain.inventory import MAX_INT, MAX_RATIO, Inventory
from kilonova.placement.domain.names import MAX_NAME, NAME_FORM

UUID = {"type": "string", "format": "uuid"}
GENERATION = {"type": "integer", "minimum": -(1 << 62), "maximum": 1 << 62}
NULL_GENERATION = {**GENERATION, "type": ["integer", "null"]}
NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": NAME_FORM}
NO_NUL = "^[^\\u0000]*$"
"""PostgreSQL cannot store the NUL character."""
OWNER = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": NO_NUL}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MAX_INT}
INVENTORY_VALUES: dict[str, Any] = {
    "total": _COUNT,
    "reserved": {"type": "integer", "minimum": 0, "maximum": MAX_INT},
    "min_unit": _COUNT,
    "max_unit": _COUNT,
    "step_size": _COUNT,
    "allocation_ratio": {"type": "number", "minimum": 0, "maximum": MAX_RATIO},
}
INVENTORY = {
    "type": "object",
    "properties": INVENTORY_VALUES,
    "required": ["total"],
    "additionalProperties": False,
}
INVENTORIES = Object((), pattern={NAME_FORM: INVENTORY})
RESOURCES = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {NAME_FORM: _COUNT},
    "additionalProperties": False,
}


def inventory_of(name: str, values: Mapping[str, Any], *, may_reserve_all: bool) -> Inventory:
    """An inventory from a validated body. Raises BadInventory."""
    known = {key: int(values[key]) for key in INVENTORY_VALUES if key in values and key != "allocation_ratio"}
    inventory = Inventory(**known, allocation_ratio=float(values.get("allocation_ratio", 1.0)))
    inventory.check(name, may_reserve_all=may_reserve_all)
    return inventory


def inventories_of(values: Mapping[str, Mapping[str, Any]], *, may_reserve_all: bool) -> dict[str, Inventory]:
    """The same for each class. Raises BadInventory."""
    return {name: inventory_of(name, one, may_reserve_all=may_reserve_all) for name, one in values.items()}
