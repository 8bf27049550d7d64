"""A bus between processes: every server is a Unix socket in one folder; a dead process is one that refuses."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from kilonova.kit import codec
from kilonova.kit.rpc.contract import Address, Handler, NoAnswer, Payload, unwrap, wrap_error


class _Server:
    def __init__(self, path: Path, handlers: Mapping[str, Handler], threads: int, answering: Callable[[str], None]):
        self._handlers = dict(handlers)
        self._answering = answering
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = Listener(str(path), "AF_UNIX", backlog=128)
        self._pool = ThreadPoolExecutor(threads)
        self._stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            self._pool.submit(self._answer, connection)

    def _answer(self, connection: "Connection[Any, Any]") -> None:
        with connection:
            message = codec.loads(connection.recv_bytes())
            try:
                reply = {"result": self._handlers[message["method"]](message["payload"])}
            except Exception as error:  # noqa: BLE001  # every failure must reach the caller as a reply
                reply = wrap_error(error)
            if message["wait"]:
                self._answering(message["method"])
                with contextlib.suppress(OSError):
                    connection.send_bytes(codec.dumps(reply))

    def stop(self) -> None:
        self._stopped = True
        self._path.unlink(missing_ok=True)
        self._listener.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


class SocketBus:
    """Implements ``kit.rpc.contract.Bus``. ``answering`` is called in a server just before it answers a method."""

    def __init__(self, folder: Path, answering: Callable[[str], None] = lambda _method: None) -> None:
        self._folder = folder
        self._answering = answering
        self._turn = itertools.count()
        self._servers: list[_Server] = []
        folder.mkdir(exist_ok=True)

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> Any:
        connection = self._connect(address)
        if connection is None:
            raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=0)
        try:
            with connection:
                connection.send_bytes(codec.dumps({"method": method, "payload": payload, "wait": True}))
                if connection.poll(timeout):
                    return unwrap(codec.loads(connection.recv_bytes()))
        except (OSError, EOFError) as error:
            raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=0) from error
        raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=timeout)

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        connection = self._connect(address)
        if connection is not None:
            with connection, contextlib.suppress(OSError):
                connection.send_bytes(codec.dumps({"method": method, "payload": payload, "wait": False}))

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> _Server:
        server = _Server(self._folder / f"{address.topic}.{address.server}", handlers, threads, self._answering)
        self._servers.append(server)
        return server

    def check(self) -> None:
        """A peer that is away is found when it is called."""

    def close(self) -> None:
        for server in self._servers:
            server.stop()

    def _connect(self, address: Address) -> "Connection[Any, Any] | None":
        names = [f"{address.topic}.{address.server}"]
        if address.server is None:
            names = sorted(path.name for path in self._folder.glob(f"{address.topic}.*"))
            first = next(self._turn) % len(names) if names else 0
            names = names[first:] + names[:first]
        for name in names:
            with contextlib.suppress(OSError):
                return Client(str(self._folder / name), "AF_UNIX")
        return None
