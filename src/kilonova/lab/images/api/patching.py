"""``PATCH /v2/images/{id}``: JSON patch with one-part paths, as the image API has it."""

import re
from collections.abc import Callable
from typing import Any

from kilonova.kit.errors import Conflict, Invalid
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.errors import HttpError
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.images import access
from kilonova.lab.images.document import WRITABLE, demand_settable, document
from kilonova.lab.images.store.images import Row

MEDIA_TYPES = ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch")
_DEFAULTS: Row = {"protected": False, "os_hidden": False, "min_disk": 0, "min_ram": 0, "tags": []}
_ATTRIBUTE = Schema(
    Object(
        tuple(Field(name=name, schema=schema) for name, schema in WRITABLE.items()),
        extra={"type": "string", "maxLength": 65535},
    )
)


_TAG_PARTS = 2
"""``/tags/0``: the attribute and a place in it."""
_PLACE = re.compile(r"\d{1,6}")


class NoSuchProperty(Conflict):
    """Replacing or removing what is not there."""

    template = "Property {name} does not exist."


def patch_image(call: Call) -> dict[str, Any]:
    """All changes or none. Raises Invalid, Forbidden, NoSuchProperty."""
    media = (call.headers.get("CONTENT-TYPE") or "").split(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise HttpError(415, f"Unsupported Content-Type {media}; use {MEDIA_TYPES[0]}")
    row = access.changeable(call.app.store, call.context, call.params["image_id"], "modify_image")
    state = {**row["properties"], **{name: row[name] for name in WRITABLE}}
    for step in call.body:
        _apply(state, step)
    _demand_allowed(call, row, state)
    values = {name: state[name] for name in WRITABLE if name != "tags"}
    values["properties"] = {k: v for k, v in state.items() if k not in WRITABLE}
    values["updated_at"] = call.app.clock.now()
    call.app.store.change(row["id"], values, state["tags"])
    return document(call.app.store.get(row["id"]))


def _demand_allowed(call: Call, row: Row, state: Row) -> None:
    if state["visibility"] != row["visibility"]:
        access.demand_publisher(call.context, state["visibility"])
    if state["owner"] != row["owner"] and not call.context.is_admin:
        raise access.NotAllowed(action="modify_image owner")
    for name in ("container_format", "disk_format"):
        if state[name] != row[name] and row["status"] != "queued":
            raise access.NotAllowed(action=f"modify_image {name} of an image that has data")


def _apply(state: Row, step: Row) -> None:
    operation, (name, *rest) = _operation(step)
    if rest:
        _apply_to_tag(state, operation, rest[0], step)
        return
    if name == "id":
        raise access.NotAllowed(action="modify_image id")
    demand_settable(name)
    _OPERATIONS[operation](state, name, step)


def _operation(step: Row) -> tuple[str, list[str]]:
    """The operation and the parts of the path: one, or two below ``tags``.

    v2.0's form ``{"replace": "/name", "value": …}`` is read too.
    """
    operation, path = step.get("op"), step.get("path")
    if operation is None:
        named = [key for key in _OPERATIONS if key in step]
        if len(named) == 1:
            operation, path = named[0], step[named[0]]
    if operation not in _OPERATIONS:
        raise Invalid(f"Operations must be one of {', '.join(_OPERATIONS)}; found {operation}")
    if not isinstance(path, str) or not path.startswith("/"):
        raise Invalid(f'Pointer `{path}` does not start with "/".')
    parts = path[1:].split("/")
    if len(parts) != 1 and (parts[0] != "tags" or len(parts) > _TAG_PARTS):
        raise Invalid(f"Pointer `{path}` contains more than one part; only whole attributes can be changed.")
    return operation, [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _apply_to_tag(state: Row, operation: str, where: str, step: Row) -> None:
    """One tag by its place in the list the client saw: openstacksdk sends the difference between two lists so."""
    tags = list(state["tags"])
    end = len(tags) if operation == "add" else len(tags) - 1
    index = end if where == "-" and operation == "add" else int(where) if _PLACE.fullmatch(where) else -1
    if not 0 <= index <= end:
        raise NoSuchProperty(name=f"tags/{where}")
    if operation != "add":
        del tags[index]
    if operation != "remove":
        (tag,) = _value("tags", {"value": [step.get("value")]})
        tags.insert(index, tag)
    state["tags"] = tags


def _value(name: str, step: Row) -> Any:
    if "value" not in step:
        raise Invalid(f"Operation on {name} needs a value.")
    _ATTRIBUTE.validate({name: step["value"]}, (0, 0))
    return step["value"]


def _add(state: Row, name: str, step: Row) -> None:
    state[name] = _value(name, step)


def _replace(state: Row, name: str, step: Row) -> None:
    if name not in state:
        raise NoSuchProperty(name=name)
    state[name] = _value(name, step)


def _remove(state: Row, name: str, _step: Row) -> None:
    if name in _DEFAULTS:
        state[name] = _DEFAULTS[name]
    elif name in WRITABLE:
        raise access.NotAllowed(action=f"removal of the base attribute {name}")
    elif name not in state:
        raise NoSuchProperty(name=name)
    else:
        del state[name]


_OPERATIONS: dict[str, Callable[[Row, str, Row], None]] = {"add": _add, "replace": _replace, "remove": _remove}
