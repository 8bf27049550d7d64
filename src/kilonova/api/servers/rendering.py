"""Server documents kept as JSON while their rows do not change: only what is new is rendered.

A row's ``revision`` grows with every change, in whatever process, so a kept document of the same revision is the
document. What else it depends on (version, visible fields, link prefix, host status, server groups) is in its key.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.api.servers import views
from kilonova.kit import codec
from kilonova.kit.codec import Fragment
from kilonova.kit.http.document import Document
from kilonova.kit.http.endpoint import Call

Row = Mapping[str, Any]
_MOST = 8192
_KEPT: dict[tuple[Any, ...], tuple[int, bytes]] = {}


class Rendering:
    """The documents of one reply."""

    def __init__(self, call: Call, shape: Document, view: views.View, groups: frozenset[str]) -> None:
        self._shape = shape.compile(call.version, groups)
        self._view = view
        self._admin = call.allow("context_is_admin", {})
        self._context = (id(shape), shape.step(call.version), groups, view.specs, self._admin, view.flavor_base)
        self._links = view.self_links("")[0]["href"]

    def documents(self, rows: Sequence[Row], load: Callable[[Sequence[str]], Sequence[Row]]) -> list[Fragment]:
        """One for each row (uuid, revision, host), in order; ``load`` gives the whole rows of those not at hand."""
        kept = [_KEPT.get(self._key(row)) for row in rows]
        missing = [row["uuid"] for row, found in zip(rows, kept, strict=True) if _stale(row, found)]
        fresh = {row["uuid"]: self._render(row) for row in load(missing)} if missing else {}
        documents = []
        for row, found in zip(rows, kept, strict=True):
            text = fresh.get(row["uuid"])
            if text is None and found is not None:
                text = found[1]
            if text is not None:  # None: purged between the two statements
                documents.append(Fragment(text))
        return documents

    def _key(self, row: Row) -> tuple[Any, ...]:
        view, uuid = self._view, row["uuid"]
        groups = tuple(view.groups.get(uuid, ()))
        return (uuid, view.host_status.get(row["host"] or ""), groups, self._links, *self._context)

    def _render(self, row: Row) -> bytes:
        document = views.finish(self._shape(row, self._view), row)
        text = codec.dumps(views.strip_fault(document, details=self._admin))
        if len(_KEPT) >= _MOST:
            # Oldest first; another thread may have been quicker with the same one.
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[self._key(row)] = (row["revision"], text)
        return text


def _stale(row: Row, found: tuple[int, bytes] | None) -> bool:
    return found is None or found[0] != row["revision"]
