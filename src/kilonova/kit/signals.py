"""Signals, answered in a thread of their own.

What Python does at a signal, it does in the main thread, once that goes on: of two signals at once the second may be
given to another thread, and a main thread that waits then sleeps on (one of twelve pairs, measured). And it does it
wherever that thread is: perhaps inside the lock that the work needs. So the number is read from where the interpreter's
own handler writes it at once, in whatever thread: ``signal.set_wakeup_fd``.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)
Work = Callable[[int], object]
_ANSWERS: dict[int, Work] = {}
_EARLY: set[int] = set()
_LOCK = threading.Lock()
_STARTED = threading.Event()


def hold(*numbers: int) -> None:
    """Keep these signals until ``answer`` says what to do: by themselves, they would end a process that starts.

    For the main thread to call.
    """
    if not _STARTED.is_set():
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=_run, args=[reader], name="signals", daemon=True).start()
        _STARTED.set()
    for number in numbers:
        signal.signal(number, _heard)


def answer(number: int, work: Work) -> None:
    """Have ``work(number)`` done at each such signal, and soon: others wait for it. For the main thread to call."""
    hold(number)
    with _LOCK:
        _ANSWERS[number] = work
        early = number in _EARLY
        _EARLY.discard(number)
    if early:
        signal.raise_signal(number)


def _heard(_number: int, _frame: object) -> None:
    """Nothing: without a handler of Python's there is no word in the pipe."""


def _run(reader: int) -> None:
    while True:
        for number in os.read(reader, 64):
            with _LOCK:
                work = _ANSWERS.get(number)
                if work is None:
                    _EARLY.add(number)
            if work is not None:
                _do(work, number)


def _do(work: Work, number: int) -> None:
    try:
        work(number)
    except Exception:
        # Nobody would hear the next signal, which may be the one to stop.
        LOG.exception("What %s asked for could not be done", signal.Signals(number).name)
