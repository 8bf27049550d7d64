"""Paging by ``limit`` and ``marker``, and the links of collections."""

from collections.abc import Sequence
from urllib.parse import urlencode

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call


def limit_of(call: Call, maximum: int) -> int:
    """``limit`` from the query, at most ``maximum`` (also when missing or 0). Raises Invalid."""
    wanted = call.integer("limit", maximum)
    return min(wanted, maximum) if wanted else (0 if wanted == 0 and call.one("limit") is not None else maximum)


def marker_of(call: Call) -> str | None:
    """``marker`` from the query."""
    return call.one("marker")


def next_link(call: Call, collection_path: str, last_id: str) -> dict[str, str]:
    """The ``rel: next`` link: this query with the marker moved on."""
    pairs: list[tuple[str, str]] = []
    for key, values in call.query.items():
        if key != "marker":
            pairs.extend((key, value) for value in values)
    pairs.append(("marker", last_id))
    return {"href": f"{call.base_url}{collection_path}?{urlencode(pairs)}", "rel": "next"}


def sort_of(call: Call, allowed: Sequence[str], default: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """``sort_key``/``sort_dir`` pairs; a missing direction repeats the first one. Raises Invalid."""
    keys = list(call.query.get("sort_key", ()))
    dirs = list(call.query.get("sort_dir", ()))
    for direction in dirs:
        if direction not in ("asc", "desc"):
            raise Invalid(f"Invalid input for query parameters sort_dir. Value: {direction}. Use asc or desc")
    if len(dirs) > len(keys) and keys:
        raise Invalid("There are more sort_dir than sort_key parameters")
    for key in keys:
        if key not in allowed:
            raise Invalid(f"Invalid input for query parameters sort_key. Value: {key}. Use one of {sorted(allowed)}")
    if not keys:
        return [(key, dirs[0] if dirs else direction) for key, direction in default]
    first = dirs[0] if dirs else "desc"
    return [(key, dirs[i] if i < len(dirs) else first) for i, key in enumerate(keys)]
