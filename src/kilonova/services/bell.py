"""Telling the conductors of accepted operations, beside the request that accepted them."""

import logging
import threading
import time
from collections.abc import Sequence

from kilonova.kit.rpc.contract import Address, Bus
from kilonova.services.conductor import TOPIC

LOG = logging.getLogger(__name__)
_PAUSE = 0.025
"""Seconds in which what is accepted goes into one message: to send one costs more than to accept a server."""


class Bell:
    """Rings at once after a quiet moment, else once a pause for all that came meanwhile. Thread safe.

    The journal has the operations, and a sweep finds those whose ring was lost: nobody waits for the broker. The thread
    ends when there is nothing to tell, and the process ends after it.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._waiting: dict[int, list[str]] = {}
        self._ringing = False

    def __call__(self, cell: int, operations: Sequence[str]) -> None:
        """Have a conductor look at these operations of a cell."""
        with self._lock:
            self._waiting.setdefault(cell, []).extend(operations)
            if self._ringing:
                return
            self._ringing = True
        threading.Thread(target=self._ring, name="bell").start()

    def _ring(self) -> None:
        while told := self._taken():
            for cell, operations in told.items():
                try:
                    self._bus.cast(Address(TOPIC), "operation.ring", {"cell": cell, "operations": operations})
                except Exception:
                    LOG.exception("Could not ring for %s operations; a sweep will find them", len(operations))
            time.sleep(_PAUSE)

    def _taken(self) -> dict[int, list[str]]:
        with self._lock:
            told, self._waiting = self._waiting, {}
            self._ringing = bool(told)
            return told
