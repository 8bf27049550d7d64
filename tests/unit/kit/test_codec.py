from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from kilonova.kit import codec


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def test_a_message_comes_back_as_it_went() -> None:
    message = Outer(Inner("𝄞", 3), (Inner("a"),), {"k": "v"})
    assert codec.unpack(codec.loads(codec.dumps(codec.pack(message))), Outer) == message


def test_older_processes_ignore_what_newer_ones_add() -> None:
    assert codec.unpack({"inner": {"name": "a", "colour": "red"}, "more": 1}, Outer) == Outer(Inner("a"))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({}, "inner"),
        ({"inner": {"name": 1}}, r"\$\.inner\.name"),
        ({"inner": {"name": "a", "size": "b"}}, r"inner\.size"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(data: object, where: str) -> None:
    with pytest.raises(codec.MalformedMessage, match=f"^Outer: .*{where}"):
        codec.unpack(data, Outer)


def test_documents() -> None:
    document = {"a": codec.Fragment('{"b":1}'), 2: None, "at": datetime(2026, 1, 2, tzinfo=UTC)}
    assert codec.text(document) == '{"a":{"b":1},"2":null,"at":"2026-01-02T00:00:00+00:00"}'
    assert codec.loads(None) is None
    assert codec.loads(b"[1]") == codec.loads("[1]") == [1]
    with pytest.raises(ValueError, match="unexpected"):
        codec.loads("[1")
