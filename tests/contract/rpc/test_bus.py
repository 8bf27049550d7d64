"""What every bus promises."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kilonova.kit import errors
from kilonova.kit.rpc.contract import Address, NoAnswer


class Full(errors.OverQuota):
    template = "No room for {what}"


def echo(payload: Mapping[str, Any]) -> Any:
    return payload


def test_a_call_returns_the_handlers_result(pair: Any) -> None:
    pair.server.serve(Address(pair.topic, "one"), {"echo": echo})
    payload = {"text": "Grüße", "number": 1.5, "nothing": None, "list": [1, {"deep": True}]}
    assert pair.caller.call(Address(pair.topic), "echo", payload, timeout=10) == payload


def test_errors_keep_their_kind_and_words(pair: Any) -> None:
    def refuse(_payload: Mapping[str, Any]) -> None:
        raise Full(what="you")

    pair.server.serve(Address(pair.topic, "one"), {"refuse": refuse})
    with pytest.raises(errors.OverQuota, match="No room for you") as caught:
        pair.caller.call(Address(pair.topic), "refuse", {}, timeout=10)
    assert caught.value.fields["remote_type"] == "Full"


def test_an_unforeseen_error_is_internal_and_names_its_type(pair: Any) -> None:
    def crash(_payload: Mapping[str, Any]) -> None:
        raise ZeroDivisionError("oh")

    pair.server.serve(Address(pair.topic, "one"), {"crash": crash})
    with pytest.raises(errors.KilonovaError, match="ZeroDivisionError: oh"):
        pair.caller.call(Address(pair.topic), "crash", {}, timeout=10)


def test_a_method_that_nobody_serves_is_an_error(pair: Any) -> None:
    pair.server.serve(Address(pair.topic, "one"), {"echo": echo})
    with pytest.raises(errors.KilonovaError, match="dance"):
        pair.caller.call(Address(pair.topic), "dance", {}, timeout=10)


def test_nobody_listens_is_no_answer_at_once(pair: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        pair.caller.call(Address(pair.topic), "echo", {}, timeout=20)
    assert time.monotonic() - begun < 10


def test_a_handler_that_takes_too_long_is_no_answer(pair: Any) -> None:
    release = threading.Event()
    pair.server.serve(Address(pair.topic, "one"), {"wait": lambda _payload: release.wait(20)})
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        pair.caller.call(Address(pair.topic), "wait", {}, timeout=1)
    assert time.monotonic() - begun < 10
    release.set()


def test_a_cast_arrives(pair: Any) -> None:
    arrived = threading.Event()
    pair.server.serve(Address(pair.topic, "one"), {"ring": lambda _payload: arrived.set()})
    pair.caller.cast(Address(pair.topic), "ring", {})
    assert arrived.wait(10)


def test_a_cast_to_nobody_is_lost_without_an_error(pair: Any) -> None:
    pair.caller.cast(Address(pair.topic), "ring", {})


def test_a_named_server_gets_what_is_sent_to_it(pair: Any) -> None:
    for name in ("one", "two"):
        pair.new().serve(Address(pair.topic, name), {"who": lambda _payload, name=name: name})
    for name in ("two", "one", "two"):
        assert pair.caller.call(Address(pair.topic, name), "who", {}, timeout=10) == name


def test_two_servers_share_their_topic(pair: Any) -> None:
    for name in ("one", "two"):
        pair.new().serve(Address(pair.topic, name), {"who": lambda _payload, name=name: name})
    seen = Counter(pair.caller.call(Address(pair.topic), "who", {}, timeout=10) for _ in range(20))
    assert set(seen) == {"one", "two"}


def test_a_payload_of_megabytes_goes_both_ways(pair: Any) -> None:
    pair.server.serve(Address(pair.topic, "one"), {"echo": echo})
    payload = {"data": "x" * (4 << 20)}
    assert pair.caller.call(Address(pair.topic), "echo", payload, timeout=30) == payload


def test_calls_run_side_by_side(pair: Any) -> None:
    together = threading.Barrier(8)
    pair.server.serve(Address(pair.topic, "one"), {"meet": lambda _payload: together.wait(20)}, threads=8)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(pair.caller.call, Address(pair.topic), "meet", {}, timeout=20) for _ in range(8)]
        assert sorted(future.result() for future in asked) == list(range(8))


def test_a_stopped_listener_takes_nothing_more(pair: Any) -> None:
    first = pair.new().serve(Address(pair.topic, "one"), {"who": lambda _payload: "one"})
    pair.new().serve(Address(pair.topic, "two"), {"who": lambda _payload: "two"})
    first.stop()
    assert {pair.caller.call(Address(pair.topic), "who", {}, timeout=10) for _ in range(6)} == {"two"}


def test_stopping_lets_running_handlers_finish(pair: Any) -> None:
    begun, done = threading.Event(), threading.Event()

    def slow(_payload: Mapping[str, Any]) -> None:
        begun.set()
        time.sleep(0.5)
        done.set()

    listener = pair.server.serve(Address(pair.topic, "one"), {"slow": slow})
    pair.caller.cast(Address(pair.topic), "slow", {})
    assert begun.wait(10)
    listener.stop()
    assert done.is_set()
