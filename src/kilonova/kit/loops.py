"""Repeated work in threads that stop when told and survive their failures."""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable

from kilonova.kit import metrics
from kilonova.kit.errors import Unavailable

LOG = logging.getLogger(__name__)
_SUCCESS = metrics.gauge("kilonova_loop_success_timestamp_seconds", "When repeated work last succeeded", "loop")
_LOOPS: weakref.WeakSet["Loop"] = weakref.WeakSet()
_STUCK_ROUNDS = 10
_STUCK_SECONDS = 300.0
_STOP_SECONDS = 10.0


def stuck(now: float | None = None) -> list[str]:
    """Names of running loops that have not come round for many times their interval, and minutes at least."""
    moment = time.monotonic() if now is None else now
    return sorted(loop.name for loop in tuple(_LOOPS) if loop.is_stuck(moment))


def stop_together(loops: Iterable["Loop"], seconds: float = _STOP_SECONDS) -> None:
    """Finish the present rounds, for so long in all; one that takes longer ends with the process."""
    ended = list(loops)
    for loop in ended:
        loop.end()
    deadline = time.monotonic() + seconds
    for loop in ended:
        loop.join(deadline - time.monotonic())


class Loop:
    """Calls ``work`` every ``seconds``; the first time at once, in the loop's own thread.

    A failure is followed by a try after ``retry`` seconds, then after twice that, four times … up to ``seconds``.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], object], *, retry: float = 1.0) -> None:
        self.name = name
        self._seconds = seconds
        self._work = work
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._first_pause = retry
        self._pause = 0.0
        """Before the next try, while tries fail."""
        self._round = time.monotonic()
        self._success = float("-inf")
        self._thread = threading.Thread(target=self._run, name=f"loop-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._round = time.monotonic()
        self._thread.start()
        _LOOPS.add(self)

    def stop(self) -> None:
        """Finish the present round and end."""
        stop_together([self])

    def end(self) -> None:
        """Begin no other round."""
        _LOOPS.discard(self)
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the present round after ``end``."""
        if self._thread.is_alive():
            self._thread.join(timeout=max(seconds, 0.0))

    def soon(self) -> None:
        """Do the next round now."""
        self._wake.set()

    def demand_success(self, seconds: float) -> None:
        """Raises Unavailable when the last success was longer ago."""
        silent = time.monotonic() - self._success
        if silent > seconds:
            raise Unavailable(
                f"{self.name} has not succeeded since this process began"
                if self._success < 0
                else f"{self.name} last succeeded {silent:.0f} s ago"
            )

    def is_stuck(self, now: float) -> bool:
        """The present round began long ago."""
        return now - self._round > max(_STUCK_ROUNDS * self._seconds, _STUCK_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._round = time.monotonic()
            try:
                self._work()
                self._pause = 0.0
                self._success = time.monotonic()
                _SUCCESS.put(time.time(), self.name)
            except Exception as error:
                if self._stop.is_set():  # what it needs may have been stopped, too
                    LOG.debug("%s was given up", self.name, exc_info=True)
                    return
                # The first failure in a row is told whole, the others in a line: a neighbour may be away for hours.
                if self._pause:
                    LOG.warning("%s: %s", self.name, error)
                else:
                    LOG.warning("%s failed and will try again", self.name, exc_info=True)
                self._pause = min(2 * self._pause or self._first_pause, self._seconds)
            self._wake.wait(self._pause or self._seconds)
            self._wake.clear()
