"""Time, as something that can be handed in and, in tests, turned by hand."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where code gets time from."""

    def now(self) -> datetime:
        """The wall clock, naive UTC, microseconds."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock:
    """Stands still until ``advance``; ``sleep`` advances it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1)) -> None:  # noqa: DTZ001  # naive UTC is the convention
        self._now = start
        self._lock = threading.Lock()
        self._elapsed = 0.0

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._elapsed += seconds


def stamp(moment: datetime) -> str:
    """A moment as the databases keep it: ``2026-01-02T03:04:05.678901``."""
    return moment.isoformat(timespec="microseconds")


def show(text: str | None) -> str | None:
    """A stored moment as the APIs show it: ``2026-01-02T03:04:05Z``."""
    return None if text is None else text[:19] + "Z"
