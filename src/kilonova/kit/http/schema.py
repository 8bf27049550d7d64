"""Request schemas from one list of fields, each with the versions it lives in.

A ``Schema`` is a tree of ``Field``s; ``validate(value, version)`` checks with a validator compiled once for each
stretch of versions between boundaries. jsonschema-rs says yes or no; only a no is worded, by ``jsonschema``.
"""

import functools
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import jsonschema_rs

from kilonova.kit.errors import Invalid
from kilonova.kit.http.versions import Version

Json = Mapping[str, Any]
FIRST: Version = (0, 0)


class InvalidInput(Invalid):
    """A body or query does not fit its schema; the message names the field."""

    template = "Invalid input for {where}. Value: {value}. {reason}"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A key of an object: ``since`` ≤ version ≤ ``until``. Several fields may share a name in disjoint ranges.

    ``schema`` is JSON schema, an ``Object``, or an ``Array`` of one.
    """

    name: str
    schema: "Json | Object | Array"
    since: Version = FIRST
    until: Version | None = None
    required: bool = False

    def lives(self, version: Version) -> bool:
        """Is the field there at ``version``?"""
        return self.since <= version and (self.until is None or version <= self.until)


@dataclass(frozen=True)
class Object:
    """An object with exactly these fields; ``extra`` lets others through from a JSON schema (or True)."""

    fields: tuple[Field, ...]
    extra: "bool | Json" = False
    pattern: "Mapping[str, Json | Object | Array] | None" = None
    """patternProperties, for keys known by form."""
    rules: Json = field(default_factory=dict)
    """Further JSON schema keywords (minProperties, oneOf …)."""
    strict_since: Version | None = None
    """Below it, unknown keys pass."""

    def at(self, version: Version) -> dict[str, Any]:
        """JSON schema at ``version``."""
        live = [f for f in self.fields if f.lives(version)]
        lax = self.strict_since is not None and version < self.strict_since
        out: dict[str, Any] = {
            "type": "object",
            "properties": {f.name: schema_at(f.schema, version) for f in live},
            "additionalProperties": True if lax else self.extra,
            **self.rules,
        }
        needed = [f.name for f in live if f.required]
        if needed:
            out["required"] = needed
        if self.pattern:
            out["patternProperties"] = {form: schema_at(value, version) for form, value in self.pattern.items()}
        return out

    def boundaries(self) -> set[Version]:
        """Versions at which the schema changes."""
        found = {f.since for f in self.fields} | {_next(f.until) for f in self.fields if f.until}
        if self.strict_since:
            found.add(self.strict_since)
        for schema in [*(f.schema for f in self.fields), *(self.pattern or {}).values()]:
            found |= boundaries_of(schema)
        return found


@dataclass(frozen=True)
class Array:
    """A list of ``items``; ``rules`` are further keywords (minItems, uniqueItems)."""

    items: "Json | Object"
    rules: Json = field(default_factory=dict)

    def at(self, version: Version) -> dict[str, Any]:
        """JSON schema at ``version``."""
        return {"type": "array", "items": schema_at(self.items, version), **self.rules}


def _next(version: Version) -> Version:
    return version[0], version[1] + 1


def schema_at(schema: "Json | Object | Array", version: Version) -> dict[str, Any]:
    """Plain JSON schema of any of the forms."""
    return dict(schema) if isinstance(schema, Mapping) else schema.at(version)


def boundaries_of(schema: "Json | Object | Array") -> set[Version]:
    """Versions at which any of the forms changes."""
    if isinstance(schema, Object):
        return schema.boundaries()
    return boundaries_of(schema.items) if isinstance(schema, Array) else set()


class Schema:
    """A whole body or query, compiled per stretch of versions."""

    def __init__(self, root: "Object | Json", *, where: str = "body") -> None:
        self.root = root
        self.where = where
        self._steps = sorted({FIRST} | boundaries_of(root))
        self._compiled: dict[Version, tuple[Any, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def _step(self, version: Version) -> Version:
        return max(step for step in self._steps if step <= version)

    def json_schema(self, version: Version) -> dict[str, Any]:
        """The JSON schema at ``version``."""
        return schema_at(self.root, version)

    def _validator(self, version: Version) -> tuple[Any, dict[str, Any]]:
        step = self._step(version)
        found = self._compiled.get(step)
        if found is None:
            with self._lock:
                schema = self.json_schema(step)
                validator = jsonschema_rs.Draft7Validator(schema, formats=_RS_FORMATS, validate_formats=True)
                found = self._compiled[step] = (validator, schema)
        return found

    def validate(self, value: Any, version: Version) -> None:
        """Raises InvalidInput naming the field."""
        validator, schema = self._validator(version)
        try:
            if validator.is_valid(value):
                return
        except ValueError:
            # Integers beyond 64 bits are refused by the compiled validator itself: let the wording pass decide.
            pass
        raise _worded(schema, value, self.where)

    def trimmed(self, value: Any, version: Version) -> Any:
        """``value`` without the keys that the schema refuses only for being unknown (old APIs drop them)."""
        return _trimmed(self._validator(version)[1], value)

    def known(self, version: Version) -> frozenset[str]:
        """Names of the top-level fields at ``version`` (for dropping the unknown ones)."""
        return self._known(self._step(version))

    @functools.lru_cache(maxsize=256)  # noqa: B019  # schemas live as long as the process
    def _known(self, step: Version) -> frozenset[str]:
        return frozenset(self.json_schema(step).get("properties", {}))


def _trimmed(schema: Any, value: Any) -> Any:
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_trimmed(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    strict = schema.get("additionalProperties", True) is False
    kept = {}
    for key, inner in value.items():
        if key in known:
            kept[key] = _trimmed(known[key], inner)
        elif not strict or any(re.search(pattern, key) for pattern in patterns):
            kept[key] = inner
    return kept


def _worded(schema: Json, value: Any, where: str) -> InvalidInput:
    checker = jsonschema.Draft7Validator(schema, format_checker=_CHECKER)
    errors = sorted(checker.iter_errors(value), key=lambda e: len(list(e.absolute_path)))
    if not errors:
        return InvalidInput(where=where, value=_short(value), reason="It is not valid")
    error = jsonschema.exceptions.best_match(errors) or errors[0]
    parts = list(error.absolute_path)
    if len(parts) > 1 and isinstance(parts[1], str):
        del parts[0]  # what wraps the whole body goes without saying, as clients' own suites expect
    path = "/".join(map(str, parts))
    field_name = f"field/attribute {path}" if path else where
    return InvalidInput(where=field_name, value=_short(error.instance), reason=_reason(error))


def _reason(error: Any) -> str:
    if error.validator == "required":
        return f"{error.message}"
    return str(error.message)[:500]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 500 else text[:497] + "..."  # noqa: PLR2004  # a message, not a dump


# Formats: one function each, used by both validators.
FORMATS: dict[str, Callable[[Any], bool]] = {}
_CHECKER = jsonschema.FormatChecker(formats=())
_RS_FORMATS: dict[str, Callable[[str], bool]] = {}


def add_format(name: str, check: Callable[[str], bool]) -> None:
    """Register a string format for all schemas; call at import time, before a schema is used."""

    def guarded(value: Any) -> bool:
        return not isinstance(value, str) or check(value)

    FORMATS[name] = guarded
    _RS_FORMATS[name] = check
    _CHECKER.checks(name)(guarded)


_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(value: str) -> bool:
    """Thirty-two hex digits, with or without dashes in the usual places."""
    return _UUID.fullmatch(value) is not None


add_format("uuid", is_uuid)


def merged(*parts: Iterable[Field]) -> tuple[Field, ...]:
    """Field lists put together."""
    return tuple(f for part in parts for f in part)
