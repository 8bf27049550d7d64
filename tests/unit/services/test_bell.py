import threading
from collections.abc import Mapping
from typing import Any

from kilonova.kit.rpc.contract import Address
from kilonova.services.bell import Bell


class Slow:
    """A broker that takes its time, or fails."""

    def __init__(self, *, fails: int = 0) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.go = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)
        self.fails = fails

    def cast(self, address: Address, method: str, payload: Mapping[str, Any]) -> None:
        assert (address, method) == (Address("conductor"), "operation.ring")
        assert self.go.acquire(timeout=10)
        self.sent.append(payload)
        self.arrived.release()
        if len(self.sent) <= self.fails:
            raise OSError("gone")

    def wait(self) -> None:
        self.go.release()
        assert self.arrived.acquire(timeout=10)


def test_nobody_waits_for_the_broker_and_what_comes_meanwhile_goes_together() -> None:
    broker = Slow(fails=1)
    bell = Bell(broker)  # type: ignore[arg-type]  # only cast is used
    bell(1, ["a"])
    while bell._waiting:  # until the thread has taken the first
        threading.Event().wait(0.001)
    bell(1, ["b"])
    bell(2, ["x"])
    bell(1, ["c", "d"])
    for _message in range(3):
        broker.wait()
    told = [{"cell": 1, "operations": ["a"]}, {"cell": 1, "operations": ["b", "c", "d"]}]
    assert broker.sent == [*told, {"cell": 2, "operations": ["x"]}]


def test_it_rings_again_after_a_quiet_time() -> None:
    broker = Slow()
    bell = Bell(broker)  # type: ignore[arg-type]  # only cast is used
    for operation in "ab":
        bell(1, [operation])
        broker.wait()
        for thread in threading.enumerate():
            if thread.name == "bell":
                thread.join(10)
    assert [message["operations"] for message in broker.sent] == [["a"], ["b"]]
