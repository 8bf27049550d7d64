"""Repeated work in threads that stop when told and survive their failures."""

import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)


class Loop:
    """Calls ``work`` every ``seconds``; the first time at once, in the loop's own thread.

    A failure is followed by a try after one second, then after two, four … up to ``seconds``.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        self.name = name
        self._seconds = seconds
        self._work = work
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"loop-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the present round and end."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def soon(self) -> None:
        """Do the next round now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
                self._failures = 0
            except Exception as error:
                # The first failure in a row is told whole, the others in a line: a neighbour may be away for hours.
                if self._failures:
                    LOG.warning("%s: %s", self.name, error)
                else:
                    LOG.warning("%s failed and will try again", self.name, exc_info=True)
                self._failures += 1
            self._wake.wait(self._pause())
            self._wake.clear()

    def _pause(self) -> float:
        return min(self._seconds, 2.0 ** (self._failures - 1)) if self._failures else self._seconds
