"""A cell's handle; and asking several at once, each in a thread of its own, so that none holds up the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Unavailable

LOG = logging.getLogger(__name__)
T = TypeVar("T")
CELL0 = "00000000-0000-0000-0000-000000000000"
_LONGEST = 15.0
"""Seconds that a cell's database may take; longer than it takes to find out that a machine is gone."""
_LET_REST = 3.0
"""Seconds for which a cell that did not answer is not asked again."""


@dataclass(frozen=True)
class Cell:
    """A cell's handle: a unit of work on its data is opened here."""

    id: int
    uuid: str
    name: str
    database: Database
    disabled: bool = False
    """New servers do not come here; those that live here go on."""
    transport_url: str | None = None
    """Broker of its hosts."""
    connection: str | None = None
    """As the mapping has it."""

    @property
    def is_cell0(self) -> bool:
        """Holds what never got a host."""
        return self.uuid == CELL0


class CellDown(Unavailable):
    """A cell's database does not answer (503)."""

    template = "Cell {cell} does not answer"
    told = "A part of the cloud does not answer now; try again soon"


@dataclass(frozen=True)
class Answers(Generic[T]):
    """What the cells said, in the order in which they were asked, and those that said nothing."""

    found: tuple[tuple[Cell, T], ...]
    down: tuple[Cell, ...] = ()

    def __iter__(self) -> Iterator[tuple[Cell, T]]:
        return iter(self.found)

    def values(self) -> Iterator[T]:
        """The answers alone."""
        return (value for _cell, value in self.found)

    def whole(self) -> "Answers[T]":
        """Itself. Raises CellDown when a cell did not answer."""
        if self.down:
            raise CellDown(cell=self.down[0].name)
        return self


class Asker:
    """Asks cells. Thread safe; keep one per process: it remembers which cells were down a moment ago."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._resting: dict[str, float] = {}
        self._lock = threading.Lock()

    def ask(self, cells: Sequence[Cell], question: Callable[[Connection], T]) -> Answers[T]:
        """``question`` put to each cell's database, at once.

        The first one is asked before the others: where it is cell0, a server on its way out of it is seen in one of
        the two places. Of a single cell the error is the caller's. Raises Unavailable then.
        """
        if len(cells) == 1:
            return Answers(((cells[0], _asked(cells[0], question)),))
        answers: dict[str, T] = {}
        first, *others = cells
        if not self._rests(first):
            self._try(first, lambda: _asked(first, question), answers)
        awake = [cell for cell in others if not self._rests(cell)]
        waiting = [(cell, self._threads().submit(copy_context().run, _asked, cell, question)) for cell in awake]
        until = time.monotonic() + _LONGEST
        for cell, future in waiting:
            self._try(cell, lambda: future.result(max(0.0, until - time.monotonic())), answers)  # noqa: B023  # at once
        found = tuple((cell, answers[cell.uuid]) for cell in cells if cell.uuid in answers)
        return Answers(found, tuple(cell for cell in cells if cell.uuid not in answers))

    def wake(self, cells: Sequence[Cell]) -> bool:
        """Have the next question put also to those that rest; whether any of these did."""
        now = time.monotonic()
        with self._lock:
            until = [self._resting.pop(cell.uuid, 0.0) for cell in cells]
        return max(until, default=0.0) > now

    def _try(self, cell: Cell, answer: Callable[[], T], answers: dict[str, T]) -> None:
        try:
            answers[cell.uuid] = answer()
        except (Unavailable, FutureTimeout) as error:
            LOG.warning("Cell %s does not answer: %s", cell.name, error or "it takes too long")
            with self._lock:
                self._resting[cell.uuid] = time.monotonic() + _LET_REST

    def _rests(self, cell: Cell) -> bool:
        return self._resting.get(cell.uuid, 0.0) > time.monotonic()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="cell")
            return self._pool


def _asked(cell: Cell, question: Callable[[Connection], T]) -> T:
    with cell.database.read() as connection:
        return question(connection)
