"""A broker that goes away and comes back: the bus finds it again by itself."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from deployment.stack import Stack
from tests.contract.rpc.conftest import FIRST

from kilonova.kit.options import from_mapping
from kilonova.kit.rpc.contract import Address, BrokerAway, NoAnswer
from kilonova.kit.rpc.rabbit import RabbitBus

pytestmark = [pytest.mark.system, FIRST]
BROKER = ("127.0.0.1", 13672)


class Gate:
    """A port in front of the broker that can be shut: connections break, new ones are refused."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.lift()

    def lift(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        assert self._listener is not None
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = listener.accept()
                far = socket.create_connection(BROKER)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)


@pytest.fixture
def gate(stack: Stack) -> Iterator[Gate]:
    made = Gate()
    yield made
    made.shut()


def bus(gate: Gate) -> RabbitBus:
    patience = {"rabbit_retry_interval": 1, "kombu_reconnect_delay": 0.2}
    sections: dict[str, dict[str, Any]] = {"oslo_messaging_rabbit": patience}
    return RabbitBus(from_mapping(sections), f"rabbit://stack:mqpass@127.0.0.1:{gate.port}/")


def test_calls_work_again_once_the_broker_is_back(gate: Gate) -> None:
    server, caller = bus(gate), bus(gate)
    where = Address(f"away-{time.time_ns()}", "one")
    server.serve(where, {"echo": lambda payload: payload})
    assert caller.call(where, "echo", {"n": 1}, timeout=10) == {"n": 1}
    gate.shut()
    with pytest.raises((NoAnswer, BrokerAway)):
        caller.call(where, "echo", {"n": 2}, timeout=2)
    gate.lift()
    deadline = time.monotonic() + 60
    answer = None
    while answer is None and time.monotonic() < deadline:
        with contextlib.suppress(NoAnswer, BrokerAway):
            answer = caller.call(where, "echo", {"n": 3}, timeout=5)
    assert answer == {"n": 3}
    for one in (caller, server):
        one.close()


def test_a_broker_that_was_never_there_costs_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        made = RabbitBus(from_mapping({}), f"rabbit://stack:mqpass@127.0.0.1:{unused.getsockname()[1]}/")
        begun = time.monotonic()
        with pytest.raises((NoAnswer, BrokerAway)):
            made.call(Address("nobody"), "echo", {}, timeout=2)
        made.cast(Address("nobody"), "echo", {})
        assert time.monotonic() - begun < 20
        made.close()
