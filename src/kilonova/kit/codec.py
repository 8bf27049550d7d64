"""Values to JSON and back: orjson for documents, msgspec for typed messages.

``pack`` turns a dataclass into plain JSON types, ``unpack`` makes it again; unknown keys are ignored, so a field
may be added with a default while older processes still run.
"""

from typing import Any, TypeVar

import msgspec
import orjson

from kilonova.kit.errors import Invalid

T = TypeVar("T")
Fragment = orjson.Fragment
"""JSON text that is put into a document unparsed."""


class MalformedMessage(Invalid):
    """A message or stored document does not fit its type."""

    template = "{type_name}: {reason}"


def dumps(value: Any) -> bytes:
    """JSON bytes; datetimes are written as ISO 8601."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def canonical(value: Any) -> bytes:
    """JSON bytes that are the same for equal values, whatever the order of their keys."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)


def text(value: Any) -> str:
    """JSON text."""
    return dumps(value).decode()


def loads(data: bytes | str | None) -> Any:
    """Parse JSON; None stays None. Raises ValueError."""
    return None if data is None else orjson.loads(data)


def pack(value: Any) -> Any:
    """A dataclass (or any nest of them) as dicts, lists and plain values."""
    return msgspec.to_builtins(value)


def unpack(data: Any, cls: type[T]) -> T:
    """The dataclass again. Raises MalformedMessage."""
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        raise MalformedMessage(type_name=cls.__name__, reason=str(error)) from error
