"""What a process does again when it is told to: SIGHUP, which service managers and logrotate send."""

import logging
import signal
import threading
from collections.abc import Callable

from kilonova.kit import signals

LOG = logging.getLogger(__name__)
_CALLS: dict[str, Callable[[], object]] = {}


def on_reload(name: str, call: Callable[[], object]) -> None:
    """Have ``call`` made at each reload; a later one of the same name takes its place."""
    _CALLS[name] = call


def reload() -> None:
    """Make the calls; what one raises is logged, and the others are made."""
    for name, call in list(_CALLS.items()):
        try:
            call()
        except Exception as error:  # noqa: BLE001  # a mistake in a file must not end the process
            LOG.warning("%s could not be read again, and stay as they were: %s", name, error)
    LOG.info("Read again: %s", ", ".join(_CALLS))


def by_signal(call: Callable[[], object] = reload) -> None:
    """Reload at SIGHUP, beside what the main thread does. For the main thread to call."""
    # In its own thread: a file that cannot be read for long must not hold up a signal to stop.
    signals.answer(signal.SIGHUP, lambda _number: threading.Thread(target=call, name="reload").start())
