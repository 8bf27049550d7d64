"""The bus inside one process: a queue and a thread pool per server. For the all-in-one, and for tests."""

import itertools
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from kilonova.kit import codec, logs
from kilonova.kit.rpc.contract import Address, Handler, NoAnswer, Payload, counted, unwrap, wrap_error

LOG = logging.getLogger(__name__)


class _Server:
    def __init__(self, bus: "LocalBus", address: Address, handlers: Mapping[str, Handler], threads: int) -> None:
        self._bus = bus
        self.address = address
        self._handlers = handlers
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"bus-{address.topic}")

    def submit(self, method: str, data: bytes) -> "Future[bytes]":
        return self._pool.submit(logs.inheriting(self._run), method, data)

    def _run(self, method: str, data: bytes) -> bytes:
        try:
            return codec.dumps({"result": self._handlers[method](codec.loads(data))})
        except Exception as error:  # every failure must reach the caller as a reply
            LOG.debug("%s failed", method, exc_info=True)
            return codec.dumps(wrap_error(error))

    def stop(self) -> None:
        """Leave the bus; running handlers finish."""
        self._bus.forget(self)
        self._pool.shutdown(wait=True, cancel_futures=True)


class LocalBus:
    """Messages are JSON bytes here too, so that nothing works only because objects are shared."""

    def __init__(self) -> None:
        self._servers: dict[str, list[_Server]] = {}
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self.sent = 0
        """Messages so far, for tests of budgets."""

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> Any:
        """Raises NoAnswer when no server listens or none answers in ``timeout`` seconds."""
        return counted(address, method, lambda: self._call(address, method, payload, timeout))

    def _call(self, address: Address, method: str, payload: Payload, timeout: float) -> Any:
        server = self._find(address)
        if server is None:
            raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=0)
        self.sent += 2
        try:
            reply = server.submit(method, codec.dumps(payload)).result(timeout)
        except (FutureTimeout, CancelledError, RuntimeError) as error:
            raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=timeout) from error
        return unwrap(codec.loads(reply))

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        """Dropped when nobody listens, as a broker without a queue would."""
        server = self._find(address)
        if server is None:
            LOG.debug("Nobody listens on %s; dropped %s", address, method)
            return
        self.sent += 1
        try:
            server.submit(method, codec.dumps(payload)).add_done_callback(_log_failure)
        except RuntimeError:
            LOG.debug("%s is stopping; dropped %s", address, method)

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> _Server:
        """Join the bus."""
        server = _Server(self, address, dict(handlers), threads)
        with self._lock:
            self._servers.setdefault(address.topic, []).append(server)
        return server

    def forget(self, server: _Server) -> None:
        """Take a server off the bus."""
        with self._lock:
            listed = self._servers.get(server.address.topic, [])
            if server in listed:
                listed.remove(server)

    def check(self) -> None:
        """There is nothing that could be away."""

    def close(self) -> None:
        """Stop every server."""
        with self._lock:
            servers = [server for listed in self._servers.values() for server in listed]
        for server in servers:
            server.stop()

    def _find(self, address: Address) -> _Server | None:
        with self._lock:
            listed = self._servers.get(address.topic, [])
            if address.server is not None:
                listed = [server for server in listed if server.address.server == address.server]
            return listed[next(self._turn) % len(listed)] if listed else None


def _log_failure(future: "Future[bytes]") -> None:
    if future.cancelled():
        return
    reply = codec.loads(future.result())
    if "error" in reply:
        LOG.warning("A cast failed: %s", reply["error"]["message"])
