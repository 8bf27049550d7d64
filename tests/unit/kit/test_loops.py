import threading
import time

import pytest

from kilonova.kit.errors import Unavailable
from kilonova.kit.loops import Loop, stop_together


def test_a_failure_is_followed_by_a_quick_second_try() -> None:
    again = threading.Event()
    tries: list[int] = []

    def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("once")
        again.set()

    loop = Loop("test", 3600, work, retry=0.01)
    loop.start()
    assert again.wait(10)
    loop.stop()
    assert tries == [0, 1]


def test_failures_without_end_do_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    many, tries = threading.Event(), list[int]()

    def work() -> None:
        tries.append(1)
        if len(tries) > 1100:  # more than a power of two can be a float
            many.set()
        raise Unavailable("away")

    loop = Loop("test", 1e-6, work)
    with caplog.at_level("CRITICAL"):  # a thousand lines take time
        loop.start()
        assert many.wait(10)
        loop.stop()


def test_rounds_that_do_not_end_are_waited_for_together(caplog: pytest.LogCaptureFixture) -> None:
    begun, release = [threading.Event() for _ in range(3)], threading.Event()

    def work(number: int) -> None:
        begun[number].set()
        release.wait(10)
        raise Unavailable("the bus has gone")

    slow = [Loop(f"slow {number}", 3600, lambda number=number: work(number)) for number in range(3)]  # type: ignore[misc]
    for loop in slow:
        loop.start()
    assert all(event.wait(5) for event in begun)
    before = time.monotonic()
    stop_together(slow, 0.05)
    assert 0.05 <= time.monotonic() - before < 5
    release.set()
    stop_together(slow)
    assert "gone" not in caplog.text
