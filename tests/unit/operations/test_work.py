from typing import Any

import pytest
from tests.unit.operations.conftest import Bench, Maker

from kilonova.kit.db.engine import DatabaseBusy
from kilonova.kit.errors import Conflict, Unavailable
from kilonova.operations.work import Cancelled, LeaseLost, ServerGone, StepFailed
from kilonova.store import operations as journal_rows


def again(bench: Bench, ident: str, owner: str = "next") -> Any:
    """The next conductor takes the operation over."""
    return bench.work(ident, owner)


def test_a_step_is_done_once_in_an_operations_life(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    assert work.step("a", lambda: {"n": 1}) == {"n": 1}
    work.settle()
    assert again(bench, work.id).step("a", lambda: pytest.fail("done twice")) == {"n": 1}


def test_a_failure_is_replayed_too(bench: Bench, claimed: Maker) -> None:
    work = claimed()

    def fail() -> None:
        raise Conflict("no")

    with pytest.raises(StepFailed, match=r"^no$"):
        work.step("a", fail)
    work.settle()
    with pytest.raises(StepFailed, match=r"^no$"):
        again(bench, work.id).step("a", lambda: pytest.fail("done again"))


def test_a_foreign_error_names_its_type(claimed: Maker) -> None:
    with pytest.raises(StepFailed, match="ZeroDivisionError: division by zero"):
        claimed().step("a", lambda: 1 / 0)


@pytest.mark.parametrize("error", [Unavailable("away"), DatabaseBusy(reason="deadlock")])
def test_what_passes_by_itself_is_no_failure_of_the_step(bench: Bench, claimed: Maker, error: Exception) -> None:
    work = claimed()

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        work.step("a", fail)
    assert bench.steps(work.id) == {}
    assert again(bench, work.id).step("a", lambda: 1) == 1


def test_a_record_and_the_servers_columns_are_written_together(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    work.step("a", lambda: "h1", save=lambda found: {"host": found})
    assert (bench.steps(work.id), bench.row()["host"]) == ({}, None)
    work.step("b", lambda: None, announce=True)
    assert (set(bench.steps(work.id)), bench.row()["host"]) == ({"a", "b"}, "h1")


def test_a_record_is_written_before_the_next_step_begins(bench: Bench, claimed: Maker) -> None:
    work, seen = claimed(), list[set[str]]()

    def look() -> None:
        seen.append(set(bench.steps(work.id)))

    work.step("a", lambda: None)
    work.step("b", look, repeatable=True)
    work.step("c", look)
    work.step("d", look)
    assert seen == [{"a"}, {"a"}, {"a", "b", "c"}]


def test_what_failed_is_recorded_although_the_operation_was_asked_to_stop(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    work.step("a", lambda: None, announce=True)
    work.step("b", lambda: None, announce=True, repeatable=True)
    work.step("c", lambda: None)
    bench.change(work.id, cancel=True)
    with pytest.raises(Cancelled):
        work.settle()
    assert bench.steps(work.id)["b"]["finished_at"] is None
    work.settle_what_may_be()
    assert {name: bool(step["finished_at"]) for name, step in bench.steps(work.id).items()} == {"a": True, "b": True}
    work.settle_what_may_be()  # nothing is left


def test_the_last_steps_are_recorded_with_the_end(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    work.step("a", lambda: None, announce=True)
    work.step("b", lambda: None, save=lambda _: {"node": "n"}, repeatable=True)
    with pytest.raises(pytest.fail.Exception):
        work.finish(lambda _connection, _now: pytest.fail("no outcome"))
    assert bench.operation(work.id)["state"] == "running"
    work.finish(lambda _connection, _now: None)
    assert {name: bool(step["finished_at"]) for name, step in bench.steps(work.id).items()} == {"a": True, "b": True}
    assert (bench.operation(work.id)["state"], bench.row()["node"]) == ("done", "n")


def test_an_announced_step_is_seen_while_it_is_under_way(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    seen: list[Any] = []
    work.step("a", lambda: seen.append(bench.steps(work.id)["a"]["finished_at"]), announce=True, host="h1")
    work.settle()
    step = bench.steps(work.id)["a"]
    assert seen == [None]
    assert step["finished_at"]
    assert step["host"] == "h1"


def test_a_cancelled_operation_begins_no_step(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    bench.change(work.id, cancel=True)
    work.step("a", lambda: 1)
    with pytest.raises(Cancelled):
        work.settle()  # noticed at the record
    with pytest.raises(Cancelled):
        work.step("b", lambda: pytest.fail("begun"))


@pytest.mark.parametrize("announce", [False, True])
def test_whoever_lost_the_lease_records_nothing(bench: Bench, claimed: Maker, announce: bool) -> None:
    work = claimed()

    def slow() -> str:
        bench.change(work.id, owner="other")
        return "mine"

    work.step("a", slow, announce=announce, save=lambda _: {"host": "mine"})
    with pytest.raises(LeaseLost):
        work.settle()
    with pytest.raises(LeaseLost):
        work.finish(lambda _connection, _now: pytest.fail("recorded"))
    assert bench.row()["host"] is None
    assert not any(step["finished_at"] for step in bench.steps(work.id).values())


def test_a_lease_that_ran_out_is_renewed_before_a_step(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    bench.clock.advance(61)
    assert work.step("a", lambda: 1) == 1
    assert bench.operation(work.id)["lease_until"] > work.now()


def test_a_lease_that_others_took_stops_the_step_before_it_begins(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    bench.clock.advance(61)
    bench.change(work.id, owner="other")
    with pytest.raises(LeaseLost):
        work.step("a", lambda: pytest.fail("begun"))


def test_unwinding_goes_last_first_down_to_the_mark(claimed: Maker) -> None:
    work, undone = claimed(), list[str]()
    work.step("a", lambda: None, undo=lambda: undone.append("a"))
    mark = work.mark()
    work.step("b", lambda: None, undo=lambda: undone.append("b"))
    work.step("c", lambda: None, undo=lambda: undone.append("c"))
    work.unwind(to=mark)
    assert undone == ["c", "b"]
    work.unwind()
    assert undone == ["c", "b", "a"]


def test_a_failing_undo_stops_the_rest_and_is_tried_again(claimed: Maker) -> None:
    work, undone = claimed(), list[str]()
    broken = [True]

    def stubborn() -> None:
        if broken[0]:
            raise Conflict("stuck")
        undone.append("b")

    work.step("a", lambda: None, undo=lambda: undone.append("a"))
    work.step("b", lambda: None, undo=stubborn)
    with pytest.raises(Conflict):
        work.unwind()
    assert undone == []
    broken[0] = False
    work.unwind()
    assert undone == ["b", "a"]


def test_nothing_is_undone_on_a_lost_lease(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    work.step("a", lambda: None, undo=lambda: pytest.fail("undone"))
    bench.change(work.id, owner="other")
    with pytest.raises(LeaseLost):
        work.unwind()


def test_an_interrupted_step_is_undone_by_the_next_conductor(bench: Bench, claimed: Maker) -> None:
    first = claimed()
    bench.change(first.id, cancel=True)
    work, undone = again(bench, first.id), list[int]()
    with pytest.raises(Cancelled):
        work.step("a", lambda: None, undo=lambda: undone.append(1))
    work.unwind()
    assert undone == [1]


def test_an_announced_step_that_never_began_needs_no_undo(bench: Bench, claimed: Maker) -> None:
    first = claimed()
    bench.change(first.id, cancel=True)
    work = again(bench, first.id)
    with pytest.raises(Cancelled):
        work.step("a", lambda: None, undo=lambda: pytest.fail("undone"), announce=True)
    work.unwind()


def test_the_server_of_an_operation_may_be_gone(bench: Bench, claimed: Maker) -> None:
    work = claimed(deleted=7)
    with pytest.raises(ServerGone):
        work.server()


def test_checkpoints_name_verb_and_step(bench: Bench, claimed: Maker) -> None:
    work = claimed()
    work.step("a", lambda: None, announce=True)
    work.settle()
    assert bench.reached == ["create:a:start", "create:a:announced", "create:a:done", "create:a:recorded"]


def test_only_one_conductor_claims(bench: Bench) -> None:
    bench.server()
    seen = bench.operation(bench.accept("stop"))
    with bench.cell.database.write() as connection:
        assert journal_rows.claim(connection, seen, "a", "2026-01-01", "2026-01-02")
        assert not journal_rows.claim(connection, seen, "b", "2026-01-01", "2026-01-02")


def test_what_was_seen_before_others_worked_on_it_cannot_be_claimed(bench: Bench) -> None:
    bench.server()
    seen = bench.operation(bench.accept("stop"))
    bench.change(seen["id"], attempts=1)
    with bench.cell.database.write() as connection:
        assert not journal_rows.claim(connection, seen, "b", "2026-01-01", "2026-01-02")
