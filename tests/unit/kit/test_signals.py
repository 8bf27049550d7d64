"""Signals, sent to a process of their own."""

import signal
import subprocess
import sys

BUSY = """
import os, signal, threading
from kilonova.kit import signals
done, seen = threading.Event(), []
def work(number):
    done.set()  # takes the lock that the main thread is in most of the time
    seen.append(number)
signals.answer(signal.SIGUSR1, work)
deadline = threading.Timer(8, os._exit, [3])
deadline.daemon = True
deadline.start()
main = os.getpid()
def send():
    while len(seen) < 300:
        os.kill(main, signal.SIGUSR1)
threading.Thread(target=send).start()
while len(seen) < 300:
    done.wait(1)
    done.clear()
"""
TWICE = """
import os, signal, threading
from kilonova.kit import signals
done = threading.Event()
for number in (signal.SIGHUP, signal.SIGTERM):
    signals.answer(number, lambda number: print(number, flush=True))
threading.Thread(target=os.waitpid, args=[os.posix_spawn("/bin/sleep", ["sleep", "5"], {}), 0], daemon=True).start()
print("ready", flush=True)
done.wait()
"""
FAILING = """
import os, signal, threading
from kilonova.kit import signals
done = threading.Event()
signals.answer(signal.SIGHUP, lambda number: 1 / 0)
signals.answer(signal.SIGTERM, lambda number: done.set())
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
assert done.wait(5)
"""
EARLY = """
import os, signal, threading
from kilonova.kit import signals
signals.hold(signal.SIGHUP)
os.kill(os.getpid(), signal.SIGHUP)
other, done = threading.Event(), threading.Event()
signals.answer(signal.SIGUSR1, lambda number: other.set())
os.kill(os.getpid(), signal.SIGUSR1)
assert other.wait(5)
signals.answer(signal.SIGHUP, lambda number: done.set())
assert done.wait(5)
"""


def test_the_work_may_take_locks_that_the_main_thread_holds() -> None:
    assert subprocess.run([sys.executable, "-c", BUSY], check=False, timeout=10).returncode == 0


def test_what_comes_early_is_kept_and_does_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], check=False, timeout=10)
    assert done.returncode == 0, signal.Signals(-done.returncode)


def test_of_two_at_once_none_is_lost() -> None:
    """With handlers in the main thread, one of twelve pairs was not heard before the next signal."""
    with subprocess.Popen([sys.executable, "-c", TWICE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(100):
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            heard = {int(process.stdout.readline()) for _ in range(2)}
            assert heard == {signal.SIGHUP, signal.SIGTERM}
        process.kill()


def test_work_that_fails_is_told_and_the_next_signal_heard() -> None:
    done = subprocess.run([sys.executable, "-c", FAILING], check=False, timeout=10, capture_output=True, text=True)
    assert done.returncode == 0
    assert "SIGHUP" in done.stderr
