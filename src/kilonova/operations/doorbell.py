"""Wakes operations that wait for something outside. Losing a ring only costs time: whoever waits also looks himself."""

import threading


class Doorbell:
    """Rings by server. Thread safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def ring(self, server_uuid: str) -> None:
        """Wake whoever waits for this server; nobody waiting is fine."""
        with self._lock:
            event = self._waiting.get(server_uuid)
        if event is not None:
            event.set()

    def wait(self, server_uuid: str, seconds: float) -> bool:
        """Sleep until a ring, at most ``seconds``; True when it rang. One waiter a server, as operations are."""
        event = threading.Event()
        with self._lock:
            self._waiting[server_uuid] = event
        try:
            return event.wait(seconds)
        finally:
            with self._lock:
                if self._waiting.get(server_uuid) is event:
                    del self._waiting[server_uuid]
