import pytest

from kilonova.kit.undo import UndoStack


def test_a_failure_undoes_the_last_first() -> None:
    done: list[int] = []
    undo = UndoStack()
    undo.push(done.append, 1)
    undo.push(done.append, 2)
    with pytest.raises(LookupError, match="why"), undo:
        raise LookupError("why")
    assert done == [2, 1]


def test_success_and_commit_undo_nothing() -> None:
    done: list[int] = []
    with UndoStack() as undo:
        undo.push(done.append, 1)
    undo = UndoStack()
    undo.push(done.append, 2)
    undo.commit()
    with pytest.raises(LookupError), undo:
        raise LookupError
    assert done == []


def test_one_that_fails_does_not_stop_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    undo = UndoStack()
    undo.push(done.append, 1)
    undo.push(lambda: 1 / 0)
    undo.push(done.append, 3)
    failures = undo.unwind()
    assert done == [3, 1]
    assert [type(error) for error in failures] == [ZeroDivisionError]
    assert "Undo step" in caplog.text
    assert undo.unwind() == []


def test_unwinding_to_a_mark_keeps_what_was_before() -> None:
    done: list[int] = []
    undo = UndoStack()
    undo.push(done.append, 1)
    mark = undo.mark()
    undo.push(done.append, 2)
    undo.unwind(mark)
    assert done == [2]
    undo.unwind()
    assert done == [2, 1]
