import json

import pytest

from kilonova.kit.errors import Conflict, KilonovaError, NotFound
from kilonova.kit.rpc.contract import _KINDS, NoAnswer, unwrap, wrap_error


class GuestNotFound(NotFound):
    template = "Guest {uuid} is not here."


def test_an_error_keeps_its_kind_and_words_over_the_wire() -> None:
    reply = json.loads(json.dumps(wrap_error(GuestNotFound(uuid="u"))))
    with pytest.raises(NotFound, match=r"^Guest u is not here.$") as caught:
        unwrap(reply)
    assert caught.value.fields["remote_type"] == "GuestNotFound"


@pytest.mark.parametrize("error", [ValueError("why"), ValueError()])
def test_a_bug_of_the_other_side_is_told_as_one(error: Exception) -> None:
    with pytest.raises(KilonovaError, match=r"^ValueError: (why|ValueError)$") as caught:
        unwrap(wrap_error(error))
    assert caught.value.kind == "internal"


def test_kinds_and_results() -> None:
    assert {kind: cls.kind for kind, cls in _KINDS.items()} == {kind: kind for kind in _KINDS}
    assert unwrap({"result": None}) is None
    newer = {"error": {"kind": "invented", "type": "T", "message": "m"}}
    with pytest.raises(KilonovaError, match=r"^m$") as caught:
        unwrap(newer)
    assert not isinstance(caught.value, Conflict)
    assert NoAnswer(topic="t", server="s", seconds=1).kind == "unavailable"
