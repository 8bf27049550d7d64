"""Looks at the guests soon after one of them changed by itself, instead of at the next comparison."""

import logging
import threading
from collections.abc import Callable

from kilonova.kit.timers import Timers

LOG = logging.getLogger(__name__)
_SOON_SECONDS = 1.0
"""What changes together is looked at together; our own work makes changes, too."""
_SETTLED_SECONDS = 7.0
"""A server that was just worked on is left alone by conductors for a while: look again after that."""


class Attention:
    """``changed`` is for the driver, whose thread it never holds up."""

    def __init__(
        self, look: Callable[[], object], *, soon: float = _SOON_SECONDS, settled: float = _SETTLED_SECONDS
    ) -> None:
        self._look = look
        self._soon = soon
        self._settled = settled
        self._timers = Timers("attention")
        self._awaited = False
        self._lock = threading.Lock()

    def changed(self, uuid: str) -> None:
        """A guest stopped, crashed or paused, told to or not."""
        LOG.debug("Guest %s changed", uuid)
        with self._lock:
            if self._awaited:
                return
            self._awaited = True
        self._timers.after(self._soon, self._now)
        self._timers.after(self._settled, self._look)

    def _now(self) -> None:
        with self._lock:
            self._awaited = False
        self._look()

    def stop(self) -> None:
        """Look no more."""
        self._timers.stop()
