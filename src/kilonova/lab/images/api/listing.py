"""``GET /v2/images``: filters, order and pages."""

import csv
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call
from kilonova.lab.images import access
from kilonova.lab.images.document import VISIBILITIES, document
from kilonova.lab.images.store.images import Condition, Operator, Search

_MAXIMUM = 1000
_WHOLE = re.compile(r"-?\d{1,18}")
_DEFAULT = 25
_CONTROL = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "tag", "visibility", "member_status"})
_IN = frozenset({"id", "name", "status", "container_format", "disk_format"})
_FLAGS = frozenset({"protected", "os_hidden"})
_NUMBERS = frozenset({"size", "min_disk", "min_ram", "virtual_size"})
_MOMENTS = frozenset({"created_at", "updated_at"})
_BOUNDS: dict[str, tuple[str, Operator]] = {"size_min": ("size", "gte"), "size_max": ("size", "lte")}
_SORTABLE = frozenset(
    {"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at", "min_disk",
     "min_ram", "owner", "visibility"}
)  # fmt: skip


def list_images(call: Call) -> dict[str, Any]:
    """A page. Raises Invalid naming the query key."""
    limit = min(call.integer("limit", _DEFAULT) or 0, _MAXIMUM)
    search = Search(
        conditions=_conditions(call),
        tags=tuple(call.query.get("tag", ())),
        viewer=call.context.project_id,
        everyones=call.context.is_admin,
        visibility=_choice(call, "visibility", (*VISIBILITIES, "all")),
        member_status=_choice(call, "member_status", ("accepted", "pending", "rejected", "all")) or "accepted",
        sort=_sort(call),
        limit=limit + 1,
        marker=_marker(call),
    )
    rows = call.app.store.search(search) if limit else []
    page = rows[:limit]
    rest = [(key, value) for key, values in call.query.items() if key != "marker" for value in values]
    reply: dict[str, Any] = {
        "images": [document(row) for row in page],
        "first": _link(rest),
        "schema": "/v2/schemas/images",
    }
    if len(rows) > limit:
        reply["next"] = _link([*rest, ("marker", page[-1]["id"])])
    return reply


def _link(pairs: list[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(pairs)}" if pairs else "/v2/images"


def _choice(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    value = call.one(name)
    if value is not None and value not in allowed:
        raise Invalid(f"Invalid {name} value: {value}; use one of {', '.join(allowed)}")
    return value


def _marker(call: Call) -> Any:
    marker = call.one("marker")
    if not marker:
        return None
    return access.visible(call.app.store, call.context, marker)


def _sort(call: Call) -> tuple[tuple[str, str], ...]:
    """``sort=name:asc,size`` or ``sort_key``/``sort_dir``; the id decides among equals."""
    text = call.one("sort")
    if text is not None:
        parts = [part.strip().partition(":") for part in text.split(",") if part.strip()]
        pairs = [(name, way or "desc") for name, _, way in parts]
    else:
        keys = list(call.query.get("sort_key", ())) or ["created_at"]
        ways = list(call.query.get("sort_dir", ())) or ["desc"]
        if len(ways) not in (1, len(keys)):
            raise Invalid("Number of sort dirs does not match the number of sort keys")
        pairs = [(key, ways[i] if len(ways) > 1 else ways[0]) for i, key in enumerate(keys)]
    for name, way in pairs:
        if name not in _SORTABLE:
            raise Invalid(f"Invalid sort key: {name}; use one of {', '.join(sorted(_SORTABLE))}")
        if way not in ("asc", "desc"):
            raise Invalid(f"Invalid sort direction: {way}; use asc or desc")
    if "id" not in dict(pairs):
        pairs.append(("id", pairs[-1][1]))
    return tuple(pairs)


def _conditions(call: Call) -> tuple[Condition, ...]:
    found = [_condition(name, value) for name, values in call.query.items() if name not in _CONTROL for value in values]
    if "os_hidden" not in call.query:
        # Hidden images are left out unless they are asked for, or named.
        found.append(Condition("os_hidden", value=False))
    return tuple(found)


def _condition(name: str, text: str) -> Condition:
    if name in _BOUNDS:
        column, operator = _BOUNDS[name]
        return Condition(column, _number(name, text), operator)
    if name in _FLAGS:
        return Condition(name, value=_flag(name, text))
    if name in _NUMBERS:
        return Condition(name, _number(name, text))
    if name in _MOMENTS:
        return _moment(name, text)
    if name in _IN and text.startswith("in:"):
        return Condition(name, next(csv.reader([text[3:]], skipinitialspace=True), []), "in")
    return Condition(name, text)


def _number(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise Invalid(f"Invalid value for filter {name}: {text[:40]} is no whole number of at most 18 digits")
    return int(text)


def _flag(name: str, text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise Invalid(f"Invalid value for filter {name}: {text}; use true or false")
    return known[text.lower()]


def _moment(name: str, text: str) -> Condition:
    """``2026-01-01T00:00:00Z`` or with ``gt:``, ``gte:``, ``lt:``, ``lte:``, ``eq:``, ``neq:`` before it."""
    operators: dict[str, Operator] = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte", "eq": "eq", "neq": "neq"}
    head, _, rest = text.partition(":")
    operator = operators.get(head)
    try:
        moment = datetime.fromisoformat(rest if operator else text)
    except ValueError:
        raise Invalid(f"Invalid value for filter {name}: {text} is no ISO 8601 time") from None
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return Condition(name, naive, operator or "eq")
