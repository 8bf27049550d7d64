from collections.abc import Mapping
from typing import Any

import pytest

from kilonova.kit.errors import Conflict
from kilonova.kit.rpc.contract import Address, NoAnswer
from kilonova.operations.hosts import HostDown, Hosts


class Line:
    """A bus whose answers are known beforehand."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[Address, Mapping[str, Any]]] = []

    def call(self, address: Address, method: str, payload: Mapping[str, Any], *, timeout: float) -> Any:
        assert (method, timeout) == ("host.call", 9.0)
        self.sent.append((address, payload))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hosts(self, *, up: bool = True) -> Hosts:
        return Hosts(self, lambda _host: up, answer_within=9.0, pause=0)  # type: ignore[arg-type]  # calls are all it makes


def silence() -> NoAnswer:
    return NoAnswer(topic="compute", server="h", seconds=9)


def test_the_answer_comes_back() -> None:
    line = Line({"result": {"power": 1}})
    assert line.hosts().ask("h", "start", {"a": 1}, operation="o") == {"power": 1}
    assert line.sent == [(Address("compute", "h"), {"operation": "o", "call": "start", "arguments": {"a": 1}})]


def test_pending_work_is_asked_for_again() -> None:
    line = Line({"pending": True}, {"pending": True}, {"result": 7})
    assert line.hosts().ask("h", "create", {}, operation="o") == 7
    assert len(line.sent) == 3


def test_a_silent_host_that_lives_is_asked_again() -> None:
    assert Line(silence(), {"result": 7}).hosts().ask("h", "create", {}, operation="o") == 7


def test_a_silent_host_that_is_down_is_told_apart() -> None:
    with pytest.raises(HostDown, match="Compute host h "):
        Line(silence()).hosts(up=False).ask("h", "create", {}, operation="o")


def test_patience_has_an_end() -> None:
    with pytest.raises(NoAnswer):
        Line({"pending": True}).hosts().ask("h", "create", {}, operation="o", wait=-1)


def test_the_drivers_errors_pass() -> None:
    with pytest.raises(Conflict, match="busy"):
        Line(Conflict("busy")).hosts().ask("h", "stop", {}, operation="o")


def test_a_revocation_goes_along() -> None:
    line = Line({"result": None})
    line.hosts().ask("h", "destroy", {}, operation="o:undo", revokes="o")
    assert line.sent[0][1]["revokes"] == "o"


def test_a_quick_call_is_made_once() -> None:
    line = Line(silence())
    with pytest.raises(NoAnswer):
        line.hosts().once("h", "output", {}, timeout=9.0)
    assert len(line.sent) == 1
