"""How a search starts, and its statements ready to send.

Clouds ask for the same few flavors again and again, and putting such a statement together costs more than running it:
the last ones are kept as text. How many trees have the things asked for is counted (up to a bound) now and then, to
start from what few have; an old count makes a search slower, never wrong.
"""

import functools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.kit.recent import Recent
from kilonova.placement.store import tables as t
from kilonova.placement.store.coarse import Start, Wanted, stamps

_COUNTED_FOR = 10.0
"""Seconds."""
_BOUND = 4000
_FEW = 50
_FEWER = 4
"""To start from something, it must be so many times rarer than the rest."""
_TEXTS = 500
_TREES = Start(("trees", None), sa.select(t.providers.c.root_id))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some trees: stamps of all their providers."""

    stamps: list[str]
    trees: int
    last_root: int
    shares: bool
    """Does any provider of the cloud share?"""


class Plans:
    """Statements by what is wanted. Thread safe."""

    def __init__(self, database: Database) -> None:
        self._dialect = database.engine.dialect
        self._counts: Recent[int] = Recent(_COUNTED_FOR)
        self._texts: OrderedDict[object, str] = OrderedDict()

    def read(self, connection: Connection, wanted: Wanted, last: int, size: int, sharing: int) -> Batch:
        """The next trees that may serve."""
        start = self._start(connection, wanted)
        key = (wanted.key(), None if start is None else start.key, last, size)
        text = self._texts.get(key)
        if text is None:
            statement = stamps(wanted, start, last, size, sharing)
            text = str(statement.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True}))
            self._texts[key] = text
            while len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        count, found, trees, last_root, shares = connection.exec_driver_sql(text).one()
        each = found.split(",") if found else []
        if len(each) != count:
            raise RuntimeError("the database cut off a long text: group_concat_max_len or max_allowed_packet is small")
        return Batch(each, int(trees or 0), last_root or 0, bool(shares))

    def _start(self, connection: Connection, wanted: Wanted) -> Start | None:
        """What to start from, if few trees have it."""
        starts = [_TREES, *wanted.starts()]
        counts = self._count(connection, starts)
        least = min(range(len(starts)), key=counts.__getitem__)
        rare = counts[least] <= _FEW or counts[least] * _FEWER <= max(counts)
        return starts[least] if rare and least else None

    def _count(self, connection: Connection, starts: Sequence[Start]) -> list[int]:
        """How many rows each has, up to the bound; all are asked for at once."""
        fresh: dict[tuple[str, object], int] = {}

        def counted(start: Start) -> int:
            if not fresh:
                columns = [sa.select(sa.func.count()).select_from(_some(s)).scalar_subquery() for s in starts]
                fresh.update(zip((s.key for s in starts), connection.execute(sa.select(*columns)).one(), strict=True))
            return fresh[start.key]

        return [self._counts.get(start.key, functools.partial(counted, start)) for start in starts]


def _some(start: Start) -> sa.Subquery:
    rows: sa.Select[Any] = start.roots.with_only_columns(sa.literal_column("1"), maintain_column_froms=True)
    return rows.limit(_BOUND).subquery()
