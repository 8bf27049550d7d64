"""How a search starts, and its statements ready to send.

Clouds ask for the same few flavors again and again, and putting such a statement together costs more than running it:
the last ones are kept as text. How many trees have the things asked for is counted (up to a bound) now and then, to
start from what few have; an old count makes a search slower, never wrong. What an index has in the order of trees is
worth starting from even where many have it.
"""

import functools
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.kit.recent import Recent
from kilonova.placement.store import tables as t
from kilonova.placement.store.coarse import Start, Wanted, stamps

_COUNTED_FOR = 120.0
"""Seconds."""
_BOUND = 4000
_BOUND_IN_ORDER = 100_000
"""Where so many have it, nothing is known of how many."""
_NEARLY_ALL = 0.9
_FEW = 50
_FEWER = 4
"""To start from something, it must be so many times rarer than the rest."""
_TEXTS = 500
_TREES = Start(("trees", None), t.providers, sa.true(), "providers_by_tree")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some trees: stamps of all their providers."""

    stamps: list[str]
    trees: int
    last_root: int
    shares: bool
    """Does any provider of the cloud share?"""
    unchecked: Collection[frozenset[str]]
    """Traits, one of each, that are required and that nearly all have: to be looked for in what is loaded."""


@dataclass(frozen=True, slots=True)
class _Plan:
    start: Start | None = None
    unchecked: tuple[frozenset[str], ...] = ()

    def key(self) -> object:
        return None if self.start is None else self.start.key, self.unchecked


class Plans:
    """Statements by what is wanted. Thread safe."""

    def __init__(self, database: Database) -> None:
        self._dialect = database.engine.dialect
        self._counts: Recent[int] = Recent(_COUNTED_FOR)
        self._chosen: Recent[_Plan] = Recent(_COUNTED_FOR)
        self._texts: OrderedDict[object, str] = OrderedDict()

    def read(self, connection: Connection, wanted: Wanted, last: int, size: int, sharing: int) -> Batch:
        """The next trees that may serve."""
        asked = wanted.key()
        plan = self._chosen.get(asked, lambda: self._plan(connection, wanted))
        key = (asked, plan.key(), last, size)
        text = self._texts.get(key)
        if text is None:
            statement = stamps(replace(wanted, unchecked=plan.unchecked), plan.start, last, size, sharing)
            text = str(statement.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True}))
            self._texts[key] = text
            while len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        count, found, trees, last_root, shares = connection.exec_driver_sql(text).one()
        each = found.split(",") if found else []
        if len(each) != count:
            raise RuntimeError("the database cut off a long text: group_concat_max_len or max_allowed_packet is small")
        return Batch(each, int(trees or 0), last_root or 0, bool(shares), plan.unchecked)

    def _plan(self, connection: Connection, wanted: Wanted) -> _Plan:
        """What to start from, if few trees have it or an index has them in order."""
        starts = list(wanted.starts())
        trees, *counts = self._count(connection, [_TREES, *starts])
        common = {
            start.key for n, start in zip(counts, starts, strict=True) if _NEARLY_ALL * trees <= n < _BOUND_IN_ORDER
        }
        unchecked = tuple(
            names
            for group in wanted.demand.groups
            for names in group.condition.required
            if ("traits", wanted.trait_ids(names)) in common
        )
        few, in_order = [], []
        for count, start in zip(counts, starts, strict=True):
            if count <= _FEW or count * _FEWER <= min(trees, _BOUND):
                few.append((count, start))
            elif start.index is not None and start.key not in common and count <= trees:
                in_order.append((count, start))
        _, best = min((*in_order, *few), key=_rarity, default=(0, None))
        return _Plan(best, unchecked)

    def _count(self, connection: Connection, starts: Sequence[Start]) -> list[int]:
        """How many rows each has, up to the bound; all are asked for at once."""
        fresh: dict[tuple[str, object], int] = {}

        def counted(start: Start) -> int:
            if not fresh:
                columns = [sa.select(sa.func.count()).select_from(_some(s)).scalar_subquery() for s in starts]
                fresh.update(zip((s.key for s in starts), connection.execute(sa.select(*columns)).one(), strict=True))
            return fresh[start.key]

        return [self._counts.get(start.key, functools.partial(counted, start)) for start in starts]


def _rarity(counted: tuple[int, Start]) -> int:
    return counted[0]


def _some(start: Start) -> sa.Subquery:
    rows: sa.Select[Any] = start.roots.with_only_columns(sa.literal_column("1"), maintain_column_froms=True)
    return rows.limit(_BOUND if start.index is None else _BOUND_IN_ORDER).subquery()
