"""An undo stack: register how to take a step back, run them all on failure, forget them on success."""

import contextlib
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

    def unwind(self) -> None:
        """Run the undos now; a failing one is logged and does not stop the rest."""
        while self._undos:
            undo, args = self._undos.pop()
            with contextlib.ExitStack() as stack:
                stack.enter_context(_logged(undo))
                undo(*args)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.unwind()


@contextlib.contextmanager
def _logged(undo: Callable[..., object]) -> Any:
    try:
        yield
    except Exception:
        LOG.exception("Undo step %s failed", getattr(undo, "__qualname__", undo))
