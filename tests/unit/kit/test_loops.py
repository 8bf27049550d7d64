import threading

import pytest

from kilonova.kit.errors import Unavailable
from kilonova.kit.loops import Loop


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
