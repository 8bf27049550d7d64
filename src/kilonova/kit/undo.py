"""An undo stack: register how to take a step back, run them all on failure, forget them on success."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

LOG = logging.getLogger(__name__)


class UndoStack:
    """Use as a context manager; an exception runs the undos, last first, each guarded from the others."""

    def __init__(self) -> None:
        self._undos: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def push(self, undo: Callable[..., object], *args: Any) -> None:
        """Remember to call ``undo(*args)``."""
        self._undos.append((undo, args))

    def commit(self) -> None:
        """All went well: forget the undos."""
        self._undos.clear()

    def mark(self) -> int:
        """A place to unwind to."""
        return len(self._undos)

    def unwind(self, to: int = 0) -> list[Exception]:
        """Run the undos now, down to a mark; a failing one is logged, returned and does not stop the rest."""
        failures: list[Exception] = []
        while len(self._undos) > to:
            undo, args = self._undos.pop()
            try:
                undo(*args)
            except Exception as error:
                LOG.exception("Undo step %s failed", getattr(undo, "__qualname__", undo))
                failures.append(error)
        return failures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.unwind()
