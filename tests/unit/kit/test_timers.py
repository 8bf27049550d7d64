import queue
import threading

from kilonova.kit.timers import Timers


def test_calls_come_in_the_order_of_their_time() -> None:
    timers, seen = Timers("t"), queue.Queue[str]()
    timers.after(0.5, seen.put, "late")
    timers.after(0, seen.put, "early")
    assert [seen.get(timeout=5), seen.get(timeout=5)] == ["early", "late"]
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
