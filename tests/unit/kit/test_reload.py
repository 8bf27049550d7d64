import os
import signal
import threading

import pytest

from kilonova.kit.reload import by_signal, on_reload, reload


def test_every_call_is_made_although_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    made: list[str] = []
    on_reload("a", lambda: made.append("never: it is replaced"))
    on_reload("a", lambda: 1 / 0)
    on_reload("b", lambda: made.append("b"))
    reload()
    assert made == ["b"]
    assert "a could not be read again, and stay as they were: division by zero" in caplog.text


def test_at_sighup() -> None:
    before = signal.getsignal(signal.SIGHUP)
    done = threading.Event()
    on_reload("a", done.set)
    by_signal()
    os.kill(os.getpid(), signal.SIGHUP)
    assert done.wait(5)
    signal.signal(signal.SIGHUP, before)
