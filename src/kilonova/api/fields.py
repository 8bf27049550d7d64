"""Kinds of values that many request bodies and queries share, as JSON schema, and what they mean."""

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from typing import Any

from kilonova.kit.http.schema import Array, Field, InvalidInput, Object, Schema, add_format
from kilonova.kit.http.versions import Version

Json = dict[str, Any]
LARGEST = 0x7FFFFFFF
"""The databases' largest integer."""
_TRUE = (True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
_FALSE = (False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")


def _printable(value: str) -> bool:
    return all(character.isprintable() or unicodedata.category(character) == "Zs" for character in value)


add_format("name", lambda value: value == value.strip() and _printable(value))
add_format("az_name", lambda value: value == value.strip() and _printable(value) and ":" not in value)
add_format("printable", lambda value: all(c.isprintable() or c in "\r\n\t" for c in value))


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


add_format("base64", _is_base64)

NAME: Json = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
"""Printable, without blanks at its ends."""
AZ_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 255, "format": "az_name"}
"""A name without colons."""
HOST: Json = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9\-._]*$"}
TEXT_255: Json = {"type": "string", "minLength": 1, "maxLength": 255}
UUID: Json = {"type": "string", "format": "uuid"}
BOOLEAN: Json = {"enum": [*_TRUE, *_FALSE], "type": ["boolean", "string"]}
"""A boolean or one of the words that have always been taken for one; ``truth`` tells which."""
METADATA: Json = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}


def row_number(text: str) -> int | None:
    """A row's number from a path or a marker; None for digits that no row can have. Raises ValueError."""
    number = int(text)
    return number if abs(number) <= LARGEST else None


def nullable(schema: Json) -> Json:
    """``schema`` or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def integer(low: int = 0, high: int = LARGEST) -> Json:
    """A whole number, also as a string of digits; ``whole`` gives the number."""
    sign = "-?" if low < 0 else ""
    return {
        "oneOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": f"^{sign}[0-9]+$", "maxLength": 30},
        ]
    }


def whole(name: str, value: Any, low: int = 0, high: int = LARGEST) -> int:
    """The number an ``integer`` field means. Raises InvalidInput (a string of digits beyond the bounds)."""
    number = int(value)
    if not low <= number <= high:
        raise InvalidInput(
            where=f"field/attribute {name}", value=value, reason=f"It must be at least {low} and at most {high}"
        )
    return number


def truth(value: Any) -> bool:
    """What a BOOLEAN field means."""
    return any(value is word or (isinstance(value, str) and value == word) for word in _TRUE)


def body(*fields: Field, rules: Json | None = None) -> Schema:
    """A body that is an object of exactly these fields."""
    return Schema(Object(fields, rules=rules or {}))


def wrapped(key: str, *fields: Field, rules: Json | None = None) -> Schema:
    """A body ``{key: {fields}}``: how resources and actions with arguments come."""
    return Schema(Object((Field(name=key, required=True, schema=Object(fields, rules=rules or {})),)))


def ignored(key: str) -> Schema:
    """``{"os-start": null}``: the value has always been ignored."""
    return Schema(Object((Field(name=key, schema={}, required=True),)))


def null(key: str) -> Schema:
    """``{key: null}`` and nothing else."""
    return Schema(Object((Field(name=key, schema={"type": "null"}, required=True),)))


def query(*names: str | Field, extra: Sequence[Field] = ()) -> Schema:
    """A query of these keys: plain names take any text, Fields what they say (each value of the list)."""
    fields = tuple(_key(name) if isinstance(name, str) else _listed(name) for name in (*names, *extra))
    return Schema(Object(fields), where="query parameters")


def _key(name: str) -> Field:
    return Field(name=name, schema=_SCHEMAS.get(name, _ANY))


def _listed(field: Field) -> Field:
    if isinstance(field.schema, Array):
        return field
    return Field(
        name=field.name,
        schema=Array(field.schema),
        since=field.since,
        until=field.until,
        required=field.required,
    )


def key(name: str, since: Version = (0, 0), until: Version | None = None) -> Field:
    """A query key with its versions."""
    return Field(name=name, schema=_SCHEMAS.get(name, _ANY), since=since, until=until)


_ANY = Array({"type": "string"})
_SCHEMAS = {
    "limit": Array({"type": "string", "pattern": "^[0-9]+$"}),
    "marker": _ANY,
}


def no_query() -> Schema:
    """A query that has no keys."""
    return query()
