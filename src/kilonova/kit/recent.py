"""What was looked up in the last seconds: for facts that hardly change and cost a call to a neighbour."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kilonova.kit.clock import Clock, SystemClock

T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps at most ``size`` values for ``seconds``. Thread safe."""

    def __init__(self, seconds: float, *, size: int = 1000, clock: Clock | None = None) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock or SystemClock()
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], T], *, keep: Callable[[T], bool] = lambda _value: True) -> T:
        """The value kept under ``key``, or what ``load`` gives; that is kept if ``keep`` says so."""
        now = self._clock.monotonic()
        found = self._kept.get(key)
        if found is not None and found[0] > now:
            return found[1]
        value = load()
        if keep(value):
            with self._lock:
                self._kept[key] = (now + self._seconds, value)
                self._kept.move_to_end(key)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return value
