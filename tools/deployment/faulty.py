"""A proxy in front of a service that makes it slow, failing or gone, as it is told while it runs."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

_REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 7\r\nConnection: close\r\n\r\nBroken\n"


class Faulty:
    """Passes bytes on to one of ``targets``, the same one while it takes connections; one thread a direction."""

    def __init__(self, port: int, *targets: int) -> None:
        self.port = port
        self._targets = list(targets)
        self._delay = 0.0
        self._failing = False
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def serving(self) -> int:
        """The port that new connections go to."""
        return self._targets[0]

    def start(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._serve, args=(self._listener,), name=f"faulty-{self.port}", daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, and end those that there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            there = list(self._open)
        for each in there:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        """Nobody listens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Every request is answered with 500."""
        self._failing = True
        self._hang_up()
        try:
            yield
        finally:
            self._failing = False
            self._hang_up()

    @contextlib.contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Every request waits this long."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        if self._failing:
            with contextlib.suppress(OSError), client:
                client.settimeout(5)
                client.recv(65536)
                client.sendall(_REFUSAL)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):  # a body that is not read would reset the connection before the answer
                    pass
            return
        server = self._connected()
        if server is None:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._open |= {client, server}
        back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
        back.start()
        self._pass(client, server, requests=True)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _connected(self) -> socket.socket | None:
        for _ in self._targets:
            first = self._targets[0]
            try:
                return socket.create_connection(("127.0.0.1", first), timeout=10)
            except OSError:
                with self._lock:
                    if self._targets[0] == first:  # else another thread has turned to the next one already
                        self._targets.append(self._targets.pop(0))
        return None

    def _pass(self, source: socket.socket, sink: socket.socket, *, requests: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if requests and self._delay:
                    time.sleep(self._delay)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
