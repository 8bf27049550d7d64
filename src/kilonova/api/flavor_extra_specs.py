"""Extra specs of flavors."""

import re
from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, notices
from kilonova.api.flavors import find
from kilonova.api.microversions import STRICT_ALL
from kilonova.domain import extra_specs
from kilonova.domain.flavor import ExtraSpecNotFound
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.codec import Fragment
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.store import flavors as store

_KEY = "^[a-zA-Z0-9-_:. ]{1,255}$"
_VALUES = {_KEY: {"type": ["string", "number"], "maxLength": 255}}
_MANY = Object((), pattern=_VALUES)
CREATE = Schema(Object((Field(name="extra_specs", schema=_MANY, required=True),)))
UPDATE = Schema(Object((), pattern=_VALUES, rules={"minProperties": 1, "maxProperties": 1}))
_PATH = "/flavors/{flavor_id}/os-extra_specs"
_ONE = _PATH + "/{key}"
_VALIDATED_FROM = 86


def _checked(call: Call, specs: Mapping[str, Any]) -> dict[str, str]:
    """As text. From 2.86 known namespaces are validated. Raises Invalid."""
    found = {key: _text(value) for key, value in specs.items()}
    for key in found:
        if re.fullmatch(_KEY, key) is None:
            raise Invalid(f"Key Names can only contain alphanumeric characters, periods, dashes, colons: {key!r}")
    if call.at_least(_VALIDATED_FROM):
        for key, value in found.items():
            extra_specs.check(key, value)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.text(value)


def index(call: Call) -> Any:
    """All extra specs. Raises FlavorNotFound."""
    return {"extra_specs": Fragment(find(call)["extra_specs"])}


def show(call: Call) -> Any:
    """One extra spec. Raises FlavorNotFound, ExtraSpecNotFound."""
    key, found = call.params["key"], find(call)
    specs = codec.loads(found["extra_specs"])
    if key not in specs:
        raise ExtraSpecNotFound(flavor_id=found["flavor_id"], key=key)
    return {key: specs[key]}


def create(call: Call) -> Any:
    """Add or overwrite several. Raises FlavorNotFound, Invalid."""
    specs = _checked(call, call.body["extra_specs"])
    _merge(call, specs)
    return {"extra_specs": specs}


def update(call: Call) -> Any:
    """Set one. Raises FlavorNotFound, Invalid."""
    key = call.params["key"]
    if key not in call.body:
        raise Invalid("Request body and URI mismatch: the body must have the key of the path")
    specs = _checked(call, call.body)
    _merge(call, specs)
    return specs


def _merge(call: Call, specs: dict[str, str]) -> None:
    now = stamp(call.app.clock.now())
    ident = call.params["flavor_id"]
    call.app.store.api.transact(lambda connection: store.merge_extra_specs(connection, ident, specs, now))


def delete(call: Call) -> None:
    """Raises FlavorNotFound, ExtraSpecNotFound."""
    now = stamp(call.app.clock.now())
    ident, key = call.params["flavor_id"], call.params["key"]
    call.app.store.api.transact(lambda connection: store.drop_extra_spec(connection, ident, key, now))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule="os_compute_api:os-flavor-extra-specs:index",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List extra specs",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        handler=notices.telling(create, "flavor.update", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-extra-specs:create",
        body=CREATE,
        summary="Set extra specs",
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        handler=show,
        rule="os_compute_api:os-flavor-extra-specs:show",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show an extra spec",
    ),
    Endpoint(
        method="PUT",
        path=_ONE,
        handler=notices.telling(update, "flavor.update", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-extra-specs:update",
        body=UPDATE,
        summary="Set an extra spec",
    ),
    Endpoint(
        method="DELETE",
        path=_ONE,
        handler=notices.telling(delete, "flavor.update", notices.flavor, notices.ALONE),
        rule="os_compute_api:os-flavor-extra-specs:delete",
        summary="Remove an extra spec",
    ),
)
