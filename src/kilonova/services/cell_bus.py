"""Brokers: each cell may have one of its own, and a call goes to that of its host."""

import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from kilonova.kit.rpc.contract import Address, Bus, Handler, Listener, Payload
from kilonova.operations.hosts import TOPIC as HOSTS
from kilonova.store.cells import Cell, Store

_RABBIT_PORT = 5672


class CellBus:
    """The process's own bus, and one for each cell whose mapping names another broker; a Bus."""

    def __init__(self, store: Store, own: Bus, url: str | None, connect: Callable[[str], Bus]) -> None:
        """``url`` is the own bus's; ``connect`` makes the bus of another."""
        self._store = store
        self._own = own
        self._url = _broker(url)
        self._connect = connect
        self._others: dict[tuple[str, ...], Bus] = {}
        self._lock = threading.Lock()

    def of_cell(self, cell: Cell) -> Bus:
        """The bus of its hosts: this one where its mapping names no other broker, or there is one cell alone."""
        broker = _broker(cell.transport_url)
        if cell.transport_url is None or broker == self._url or len(self._store.working) == 1:
            return self
        with self._lock:
            if broker not in self._others:
                self._others[broker] = self._connect(cell.transport_url)
            return self._others[broker]

    def _of(self, address: Address) -> Bus:
        if address.topic != HOSTS or address.server is None:
            return self._own
        cell = self._store.cell_of_host(address.server)
        bus = self if cell is None else self.of_cell(cell)
        return self._own if bus is self else bus

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> object:
        """Raises NoAnswer, or the handler's own kind of error."""
        return self._of(address).call(address, method, payload, timeout=timeout)

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        """Send and forget."""
        self._of(address).cast(address, method, payload)

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> Listener:
        """Listen on the own bus."""
        return self._own.serve(address, handlers, threads=threads)

    def check(self) -> None:
        """Of the own broker: that of a cell may be away. Raises Unavailable."""
        self._own.check()

    def close(self) -> None:
        """Drop all connections."""
        with self._lock:
            others, self._others = list(self._others.values()), {}
        for bus in (self._own, *others):
            bus.close()


def _broker(url: str | None) -> tuple[str, ...]:
    """What tells brokers apart: their hosts with ports, and the virtual host."""
    parts = urlsplit(url or "")
    hosts = (host.rpartition("@")[2] for host in parts.netloc.split(","))
    named = (host if ":" in host.rpartition("]")[2] else f"{host}:{_RABBIT_PORT}" for host in hosts)
    return (*sorted(named), parts.path.removeprefix("/"))
