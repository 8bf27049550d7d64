import queue
import threading
import time

from kilonova.kit.timers import Timers


def test_calls_come_in_the_order_of_their_time() -> None:
    timers, seen = Timers("t"), queue.Queue[str]()
    timers.after(3600, seen.put, "much later")
    timers.after(0, seen.put, "at once")
    assert seen.get(timeout=5) == "at once"
    begun = time.monotonic()
    timers.after(0.03, seen.put, "soon")
    assert seen.get(timeout=5) == "soon"
    assert time.monotonic() - begun >= 0.03
    timers.stop()


def test_a_failing_call_does_not_stop_the_others() -> None:
    timers, done = Timers("t"), threading.Event()
    timers.after(0, lambda: 1 / 0)
    timers.after(0, done.set)
    assert done.wait(5)
    timers.stop()


def test_nothing_is_called_after_the_stop() -> None:
    timers, done = Timers("t"), threading.Event()
    timers.after(0.02, done.set)
    timers.stop()
    timers.after(0, done.set)
    assert not done.wait(0.05)
