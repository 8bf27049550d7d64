"""``/images/{image_id}/metadata``: properties of Glance's images."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.api import fields, quota_limits
from kilonova.domain import quota
from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field

_UNTIL = (2, 38)
_PATH = "/images/{image_id}/metadata"
_KEY = _PATH + "/{key}"
_MANY = fields.body(Field(name="metadata", schema=fields.METADATA, required=True))
_ONE_PAIR = {**fields.METADATA, "minProperties": 1, "maxProperties": 1}
_ONE = fields.body(Field(name="meta", schema=_ONE_PAIR, required=True))


class ItemNotFound(NotFound):
    """The image has no property of the name."""

    template = "Metadata item {key} was not found"


def _properties(call: Call) -> dict[str, str]:
    return dict(call.app.images.get(call.context, call.params["image_id"]).properties)


def _change(call: Call, changes: Mapping[str, str], remove: Sequence[str] = ()) -> dict[str, str]:
    image = call.app.images.update(call.context, call.params["image_id"], changes, remove)
    return dict(image.properties)


def _check_count(call: Call, count: int) -> None:
    with call.app.store.api.read() as connection:
        limits = quota_limits.effective(call, connection, str(call.context.project_id))
    quota.demand("metadata_items", limits["metadata_items"], 0, count)


def index(call: Call) -> Any:
    """All properties."""
    return {"metadata": _properties(call)}


def merge(call: Call) -> Any:
    """Set some."""
    given = call.body["metadata"]
    _check_count(call, len({**_properties(call), **given}))
    return {"metadata": _change(call, given)}


def replace(call: Call) -> Any:
    """Set these, drop the others."""
    given = call.body["metadata"]
    _check_count(call, len(given))
    return {"metadata": _change(call, given, [name for name in _properties(call) if name not in given])}


def show(call: Call) -> Any:
    """One property."""
    key, found = call.params["key"], _properties(call)
    if key not in found:
        raise ItemNotFound(key=key)
    return {"meta": {key: found[key]}}


def update(call: Call) -> Any:
    """Set one."""
    key, given = call.params["key"], call.body["meta"]
    if key not in given:
        raise Invalid("meta: the key in the body and the one in the URL differ")
    _check_count(call, len({**_properties(call), **given}))
    _change(call, given)
    return {"meta": given}


def delete(call: Call) -> None:
    """Drop one."""
    key = call.params["key"]
    if key not in _properties(call):
        raise ItemNotFound(key=key)
    _change(call, {}, [key])


def _endpoint(method: str, path: str, handler: Any, summary: str, **more: Any) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, until=_UNTIL, summary=summary, **more)


ENDPOINTS = (
    _endpoint("GET", _PATH, index, "List an image's properties"),
    _endpoint("POST", _PATH, merge, "Set properties of an image", body=_MANY),
    _endpoint("PUT", _PATH, replace, "Replace an image's properties", body=_MANY),
    _endpoint("GET", _KEY, show, "Show a property of an image"),
    _endpoint("PUT", _KEY, update, "Set a property of an image", body=_ONE),
    _endpoint("DELETE", _KEY, delete, "Remove a property of an image", status=204),
)
