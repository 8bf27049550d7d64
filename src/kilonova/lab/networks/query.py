"""Lists: filters by any field, chosen fields, sorting, paging."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.paging import next_link
from kilonova.lab.networks import errors
from kilonova.lab.networks.store.documents import Document

_TAGS = ("tags", "tags-any", "not-tags", "not-tags-any")
_RESERVED = {"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse", *_TAGS}
_TRUE = {"true", "1", "yes", "on", "t", "y"}


def matching(call: Call, documents: Sequence[Document], known: Sequence[str]) -> list[Document]:
    """Documents that fit every filter. Raises InvalidInput for a filter that is no field of theirs."""
    keys = set(known).union(*documents) if documents else set(known)
    filters = {key: values for key, values in call.query.items() if key not in _RESERVED}
    for key in filters:
        if key not in keys:
            raise errors.InvalidInput(field="filters", reason=f"'{key}' is invalid attribute for filtering")
    return [d for d in documents if all(_fits(d, k, v) for k, v in filters.items()) and _tagged(call, d)]


def _fits(document: Document, key: str, values: Sequence[str]) -> bool:
    actual = document.get(key)
    if key == "fixed_ips":
        return _addressed(actual or [], values)
    if isinstance(actual, bool):
        return any((value.lower() in _TRUE) == actual for value in values)
    if isinstance(actual, list):
        return any(value in actual for value in values)
    if actual is None:
        return any(value.lower() in ("", "null", "none") for value in values)
    return str(actual) in values


def _addressed(entries: Sequence[Mapping[str, str]], values: Sequence[str]) -> bool:
    """``subnet_id=…``, ``ip_address=…`` and ``ip_address_substr=…``: same keys alternate, different ones add up."""
    wanted: dict[str, list[str]] = {}
    for value in values:
        key, _, text = value.partition("=")
        wanted.setdefault(key, []).append(text)
    return all(any(_entry(entry, key, text) for entry in entries for text in texts) for key, texts in wanted.items())


def _entry(entry: Mapping[str, str], key: str, text: str) -> bool:
    if key == "ip_address_substr":
        return text in entry["ip_address"]
    return entry.get(key) == text


def _tagged(call: Call, document: Document) -> bool:
    has = set(document.get("tags", ()))
    for key in _TAGS:
        for value in call.query.get(key, ()):
            wanted = set(value.split(","))
            found = bool(wanted & has) if key.endswith("any") else wanted <= has
            if found == key.startswith("not"):
                return False
    return True


def ordered(call: Call, documents: list[Document], known: Sequence[str]) -> list[Document]:
    """By ``sort_key``/``sort_dir``, else oldest first. Raises InvalidInput."""
    keys = list(call.query.get("sort_key", ()))
    directions = list(call.query.get("sort_dir", ()))
    if len(directions) > len(keys) or any(d not in ("asc", "desc") for d in directions):
        raise errors.InvalidInput(field="sort_dir", reason="use asc or desc, once for each sort_key")
    names = set(known).union(*documents) if documents else set(known)
    for key in keys:
        if key not in names:
            raise errors.InvalidInput(field="sort_key", reason=f"'{key}' is invalid attribute for sorting")
    directions += ["asc"] * (len(keys) - len(directions))
    for key, direction in reversed(list(zip(keys, directions, strict=True))):
        documents = sorted(documents, key=_by(key), reverse=direction == "desc")
    return documents[::-1] if _reversed(call) else documents


def _reversed(call: Call) -> bool:
    return (call.one("page_reverse") or "").lower() in _TRUE


def _by(key: str) -> Callable[[Document], tuple[bool, float, str]]:
    return lambda document: _sortable(document.get(key))


def _sortable(value: Any) -> tuple[bool, float, str]:
    number = float(value) if isinstance(value, int | float) else 0.0
    return value is not None, number, "" if isinstance(value, int | float) else str(value)


def page(call: Call, documents: list[Document], path: str) -> tuple[list[Document], list[dict[str, str]]]:
    """One page after ``marker`` of at most ``limit``, and its links. Raises InvalidInput."""
    limit, marker = call.integer("limit"), call.one("marker")
    if marker is not None:
        places = [i for i, document in enumerate(documents) if document.get("id") == marker]
        if not places:
            raise errors.InvalidInput(field="marker", reason=f"'{marker}' is not in this list")
        documents = documents[places[0] + 1 :]
    if not limit or len(documents) <= limit:
        return (documents[::-1] if _reversed(call) else documents), []
    documents = documents[:limit]
    link = next_link(call, path, str(documents[-1]["id"]))
    if _reversed(call):
        return documents[::-1], [{**link, "rel": "previous"}]
    return documents, [link]


def chosen(call: Call, document: Document) -> Document:
    """Only the ``fields`` asked for."""
    fields = set(call.query.get("fields", ()))
    return {key: value for key, value in document.items() if key in fields} if fields - {""} else document
