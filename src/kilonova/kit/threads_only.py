"""Keeps eventlet out of the process."""

import sys


def without_eventlet() -> None:
    """Call before importing an oslo library.

    Wherever eventlet is installed, oslo libraries load it and some choose it over threads. Kilonova works with threads
    and patches nothing; for this process there is no eventlet.
    """
    sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # None is how Python marks a module as absent
