"""Telling the service manager how a process is: sd_notify(3), without a library for one datagram."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

_LOOK_SECONDS = 0.2
"""How soon a process that answers is told to be ready."""


class ServiceManager:
    """READY=1 once ``alive`` says so, WATCHDOG=1 while it goes on saying so; without ``$NOTIFY_SOCKET`` nothing at all.

    ``alive`` is asked in a thread of its own and may block: a process that hangs is then not vouched for.
    """

    def __init__(
        self, alive: Callable[[], bool], environment: Mapping[str, str] = os.environ, look: float = _LOOK_SECONDS
    ) -> None:
        self._alive = alive
        self._look = look
        self._socket = environment.get("NOTIFY_SOCKET", "")
        self._pause = _watchdog(environment) / 3 or None
        self._ready = False
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        if self._socket:
            threading.Thread(target=self._run, name="service-manager", daemon=True).start()

    def reload(self, call: Callable[[], object]) -> None:
        """Have ``call`` read the configuration again; READY=1 follows when that is done."""
        with self._lock:
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
            call()
            self._ready = False
        self._wake.set()

    def stopping(self) -> None:
        """Running work is brought to its end."""
        self._tell("STOPPING=1")

    def _run(self) -> None:
        while True:
            if self._alive():
                with self._lock:
                    known, self._ready = self._ready, True
                self._tell("WATCHDOG=1" if known else "READY=1")
            self._wake.wait(self._pause if self._ready else self._look)
            self._wake.clear()

    def _tell(self, words: str) -> None:
        if not self._socket:
            return
        address = "\0" + self._socket[1:] if self._socket.startswith("@") else self._socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto(words.encode(), address)
            except OSError:
                return  # nobody listens any more: that is the manager's business


def _watchdog(environment: Mapping[str, str]) -> float:
    """Seconds of silence after which the manager gives a process up; 0 where it does not watch this one."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(environment.get("WATCHDOG_USEC", "0")) / 1e6
