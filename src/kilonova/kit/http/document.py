"""Response documents from one list of fields, each with the versions it lives in.

A ``Document`` is compiled once for each stretch of versions between boundaries (and each set of groups asked for)
into a function from a row to a dictionary::

    FLAVOR = Document((
        Out("id", "flavor_id"),
        Out("swap", lambda row, _view: row["swap_mb"] or "", until=(2, 74)),
        Out("swap", "swap_mb", since=(2, 75)),
        Out("extra_specs", lambda row, _view: Fragment(row["extra_specs"]), since=(2, 61), group="specs"),
    ))
    shape = FLAVOR.compile(call.version, groups)
    body = [shape(row, view) for row in rows]

Plain columns cost one ``itemgetter`` together, so rows should be dictionaries or mappings of the database driver.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from kilonova.kit.http.versions import Version

FIRST: Version = (0, 0)
Row = Mapping[str, Any]
Shape = Callable[[Row, Any], dict[str, Any]]
"""Makes the document of a row; the second argument is whatever the door's callables need (``view``)."""
_NO_GROUPS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Out:
    """A key of a document: ``since`` ≤ version ≤ ``until``. Several may share a name in disjoint ranges.

    ``source`` is a column's name, a callable of (row, view), or None for the column of the key's own name.
    A field with a ``group`` is there only for callers who ask for that group (what policy shows to some).
    """

    name: str
    source: str | Callable[[Row, Any], Any] | None = None
    since: Version = FIRST
    until: Version | None = None
    group: str | None = None

    def lives(self, version: Version) -> bool:
        """Is the field there at ``version``?"""
        return self.since <= version and (self.until is None or version <= self.until)


class Document:
    """A response shape at every version. Thread safe."""

    def __init__(self, fields: Iterable[Out]) -> None:
        self.fields = tuple(fields)
        after = {(f.until[0], f.until[1] + 1) for f in self.fields if f.until}
        self._steps = sorted({FIRST} | {f.since for f in self.fields} | after, reverse=True)
        self._compiled: dict[tuple[Version, frozenset[str]], Shape] = {}

    def boundaries(self) -> list[Version]:
        """Versions at which the document changes, oldest first."""
        return self._steps[::-1]

    def live(self, version: Version, groups: frozenset[str] = _NO_GROUPS) -> list[Out]:
        """The fields shown at ``version`` to who sees ``groups``."""
        return [f for f in self.fields if f.lives(version) and (f.group is None or f.group in groups)]

    def step(self, version: Version) -> Version:
        """The boundary that begins the stretch ``version`` is in."""
        return next(s for s in self._steps if s <= version)

    def compile(self, version: Version, groups: frozenset[str] = _NO_GROUPS) -> Shape:
        """The shape at ``version``; the same function for every version of a stretch."""
        step = self.step(version)
        found = self._compiled.get((step, groups))
        if found is None:
            # Two threads may both compile; either result serves.
            found = self._compiled[step, groups] = _shape(self.live(step, groups))
        return found


def _shape(fields: Iterable[Out]) -> Shape:
    plain: list[tuple[str, str]] = []
    computed: list[tuple[str, Callable[[Row, Any], Any]]] = []
    for field in fields:
        source = field.source if field.source is not None else field.name
        if isinstance(source, str):
            plain.append((field.name, source))
        else:
            computed.append((field.name, source))
    names = tuple(name for name, _ in plain)
    columns = _getter([column for _, column in plain])

    def shape(row: Row, view: Any = None) -> dict[str, Any]:
        out: dict[str, Any] = dict(zip(names, columns(row), strict=True))
        for name, make in computed:
            out[name] = make(row, view)
        return out

    return shape


def _getter(columns: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    if not columns:
        return lambda _row: ()
    if len(columns) == 1:
        only = columns[0]
        return lambda row: (row[only],)
    return itemgetter(*columns)
