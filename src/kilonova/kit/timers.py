"""Calls that are made later, all by one thread."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

LOG = logging.getLogger(__name__)


class Timers:
    """``after`` may be called from any thread; what it calls should be quick, since all share one thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        """``call(*args)`` in ``seconds``; forgotten when ``stop`` comes first."""
        with self._changed:
            if self._stopped:
                return
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), call, args))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"timers-{self._name}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Forget what is not due yet."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, call, args = heapq.heappop(self._heap)
            try:
                call(*args)
            except Exception:
                LOG.exception("A delayed call failed")
