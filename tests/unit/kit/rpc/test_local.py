import threading
from collections.abc import Iterator

import pytest

from kilonova.kit.errors import Conflict
from kilonova.kit.rpc.contract import Address, NoAnswer, Payload
from kilonova.kit.rpc.local import LocalBus


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    found = LocalBus()
    yield found
    found.close()


def named(name: str) -> dict[str, object]:
    return {"who": lambda _payload: name}


def refuse(_payload: Payload) -> None:
    raise Conflict("busy")


def test_messages_are_copies_in_json(bus: LocalBus) -> None:
    sent = {"list": [1]}
    bus.serve(Address("t", "s"), {"add": lambda payload: payload["list"].append(2) or payload["list"]})
    assert bus.call(Address("t", "s"), "add", sent, timeout=5) == [1, 2]
    assert sent == {"list": [1]}
    assert bus.sent == 2


def test_a_topic_is_served_in_turn_and_a_server_by_name(bus: LocalBus) -> None:
    for name in ("a", "b"):
        bus.serve(Address("t", name), named(name))  # type: ignore[arg-type]  # handlers of any kind
    assert sorted(bus.call(Address("t"), "who", {}, timeout=5) for _ in range(4)) == ["a", "a", "b", "b"]
    assert {bus.call(Address("t", "b"), "who", {}, timeout=5) for _ in range(3)} == {"b"}


def test_nobody_answers(bus: LocalBus) -> None:
    with pytest.raises(NoAnswer, match="t on any"):
        bus.call(Address("t"), "who", {}, timeout=5)
    server = bus.serve(Address("t", "s"), named("s"))  # type: ignore[arg-type]  # handlers of any kind
    server.stop()
    for address in (Address("t"), Address("t", "s")):
        with pytest.raises(NoAnswer):
            bus.call(address, "who", {}, timeout=5)
    bus.cast(Address("t"), "who", {})
    assert bus.sent == 0


def test_a_slow_answer_is_given_up_and_the_work_goes_on(bus: LocalBus) -> None:
    go, done = threading.Event(), threading.Event()

    def slow(_payload: Payload) -> None:
        go.wait(10)
        done.set()

    bus.serve(Address("t", "s"), {"slow": slow})
    with pytest.raises(NoAnswer, match=r"0\.01 seconds"):
        bus.call(Address("t", "s"), "slow", {}, timeout=0.01)
    go.set()
    assert done.wait(10)


def test_failures_reach_callers_and_logs(bus: LocalBus, caplog: pytest.LogCaptureFixture) -> None:
    bus.serve(Address("t", "s"), {"refuse": refuse}, threads=1)
    with pytest.raises(Conflict, match="busy"):
        bus.call(Address("t", "s"), "refuse", {}, timeout=5)
    with pytest.raises(Exception, match="KeyError"):
        bus.call(Address("t", "s"), "unheard", {}, timeout=5)
    bus.cast(Address("t", "s"), "refuse", {})
    with pytest.raises(Conflict):
        bus.call(Address("t", "s"), "refuse", {}, timeout=5)
    assert "A cast failed: busy" in caplog.text
