"""Flavors: making, describing and deleting them."""

import uuid
from typing import Any

from kilonova.api import fields, notices
from kilonova.api.flavors import view
from kilonova.kit.clock import stamp
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, InvalidInput
from kilonova.store import flavors as store

_ID = {
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^(?! )[a-zA-Z0-9. _-]+(?<! )$"},
        {"type": "integer"},
        {"type": "null"},
    ]
}
_FACTOR = {
    "oneOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 3.40282e38},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "maxLength": 40},
    ]
}
_DESCRIPTION = {"type": ["string", "null"], "maxLength": 65535, "format": "printable"}
CREATE = fields.wrapped(
    "flavor",
    Field(name="name", schema=fields.NAME, required=True),
    Field(name="id", schema=_ID),
    Field(name="ram", schema=fields.integer(1), required=True),
    Field(name="vcpus", schema=fields.integer(1), required=True),
    Field(name="disk", schema=fields.integer(0), required=True),
    Field(name="OS-FLV-EXT-DATA:ephemeral", schema=fields.integer(0)),
    Field(name="swap", schema=fields.integer(0)),
    Field(name="rxtx_factor", schema=_FACTOR, until=(2, 101)),
    Field(name="os-flavor-access:is_public", schema=fields.BOOLEAN),
    Field(name="description", schema=_DESCRIPTION, since=(2, 55)),
)
UPDATE = fields.wrapped("flavor", Field(name="description", schema=_DESCRIPTION, required=True))
_NUMBERS = (
    ("memory_mb", "ram", 1),
    ("vcpus", "vcpus", 1),
    ("root_gb", "disk", 0),
    ("ephemeral_gb", "OS-FLV-EXT-DATA:ephemeral", 0),
    ("swap_mb", "swap", 0),
)


def _values(wanted: dict[str, Any], now: str) -> dict[str, Any]:
    ident = wanted.get("id")
    return {
        "flavor_id": str(uuid.uuid4() if ident is None else ident),
        "name": wanted["name"],
        **{column: fields.whole(key, wanted.get(key, 0), low) for column, key, low in _NUMBERS},
        "rxtx_factor": _factor(wanted.get("rxtx_factor", 1.0)),
        "is_public": fields.truth(wanted.get("os-flavor-access:is_public", True)),
        "disabled": False,
        "description": wanted.get("description"),
        "created_at": now,
    }


def _factor(value: Any) -> float:
    number = float(value)
    if not 0 < number <= 3.40282e38:  # noqa: PLR2004  # the largest single precision number
        raise InvalidInput(where="field/attribute rxtx_factor", value=value, reason="It must be greater than 0")
    return number


def create(call: Call) -> Any:
    """A new flavor. Raises FlavorExists."""
    values = _values(call.body["flavor"], stamp(call.app.clock.now()))
    found = call.app.store.api.transact(lambda connection: store.create(connection, values))
    return {"flavor": view(call, found)}


def update(call: Call) -> Any:
    """Change the description. Raises FlavorNotFound."""
    now, text = stamp(call.app.clock.now()), call.body["flavor"]["description"]
    ident = call.params["flavor_id"]
    found = call.app.store.api.transact(lambda connection: store.describe(connection, ident, text, now))
    return {"flavor": view(call, found)}


def delete(call: Call) -> None:
    """Servers of this flavor live on. Raises FlavorNotFound."""
    call.app.store.api.transact(lambda connection: store.delete(connection, call.params["flavor_id"]))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/flavors",
        handler=notices.telling(create, "flavor.create", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-manage:create",
        body=CREATE,
        summary="Create a flavor",
    ),
    Endpoint(
        method="PUT",
        path="/flavors/{flavor_id}",
        handler=notices.telling(update, "flavor.update", notices.flavor, notices.ALONE),
        since=(2, 55),
        rule="os_compute_api:os-flavor-manage:update",
        body=UPDATE,
        summary="Describe a flavor",
    ),
    Endpoint(
        method="DELETE",
        path="/flavors/{flavor_id}",
        handler=notices.telling(delete, "flavor.delete", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-manage:delete",
        status=202,
        summary="Delete a flavor",
    ),
)
