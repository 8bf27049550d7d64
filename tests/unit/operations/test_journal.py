from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.operations.conftest import Bench

from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict, Unavailable
from kilonova.operations.accepting import NoFields
from kilonova.operations.journal import Journal, Verb, confirm_mappings
from kilonova.operations.work import Outcome, Work
from kilonova.store import operations as journal_rows
from kilonova.store import server_mappings

Run = Callable[[Work, Any], Outcome]


def journal(bench: Bench, run: Run, verb: str = "stop") -> Journal:
    return Journal(bench.tools, {verb: Verb(verb, NoFields, run)})


def attend(made: Journal, bench: Bench, ident: str) -> float | None:
    """The journal's work in this thread; seconds after which it wants to look again."""
    return made._take(bench.cell, ident)


def raising(error: Exception) -> Run:
    def run(_work: Work, _command: Any) -> Outcome:
        raise error

    return run


def test_an_end_and_the_servers_state_are_written_together(bench: Bench) -> None:
    bench.server(task_state="powering-off")
    ident = bench.accept("stop")
    attend(journal(bench, lambda _w, _c: Outcome(vm_state="stopped", values={"power_state": 4})), bench, ident)
    row = bench.row()
    assert (row["vm_state"], row["task_state"], row["power_state"]) == ("stopped", None, 4)
    assert (bench.operation(ident)["state"], bench.operation(ident)["lease_until"]) == ("done", None)


def test_work_aside_leaves_the_task_alone(bench: Bench) -> None:
    bench.server(task_state="powering-off")
    attend(journal(bench, lambda _w, _c: Outcome(values={"ips": "10.0.0.9"}, aside=True)), bench, bench.accept("stop"))
    assert (bench.row()["ips"], bench.row()["task_state"]) == ("10.0.0.9", "powering-off")


def test_a_deleted_server_is_marked(bench: Bench) -> None:
    bench.server()
    ident = bench.accept("delete")
    attend(journal(bench, lambda _w, _c: Outcome(deleted=True), "delete"), bench, ident)
    assert bench.row()["deleted"]
    assert bench.row()["vm_state"] == "deleted"


def test_a_failure_is_undone_and_told(bench: Bench) -> None:
    bench.server(vm_state="building", task_state="scheduling")
    ident, undone = bench.accept("create"), list[int]()

    def run(work: Work, _command: Any) -> Outcome:
        work.step("a", lambda: None, undo=lambda: undone.append(1))
        raise Conflict("no luck")

    attend(journal(bench, run, "create"), bench, ident)
    row = bench.row()
    assert undone == [1]
    assert (row["vm_state"], row["task_state"]) == ("error", None)
    assert '"message":"no luck"' in row["fault"]
    assert (bench.operation(ident)["state"], bench.operation(ident)["error"]) == ("failed", "no luck")


def test_a_failed_stop_leaves_the_server_as_it_was(bench: Bench) -> None:
    bench.server(task_state="powering-off")
    attend(journal(bench, raising(Conflict("no"))), bench, bench.accept("stop"))
    assert (bench.row()["vm_state"], bench.row()["task_state"], bench.row()["fault"]) == ("active", None, None)


def test_an_operation_asked_to_stop_at_its_very_end_stops(bench: Bench) -> None:
    bench.server(task_state="deleting")
    ident = bench.accept("stop")

    def run(work: Work, _command: Any) -> Outcome:
        bench.change(work.id, cancel=True)
        return Outcome(vm_state="stopped")

    attend(journal(bench, run), bench, ident)
    assert bench.operation(ident)["state"] == "cancelled"
    assert (bench.row()["vm_state"], bench.row()["task_state"]) == ("active", "deleting")


def test_a_lost_lease_ends_nothing(bench: Bench) -> None:
    bench.server(task_state="powering-off")
    ident = bench.accept("stop")

    def run(work: Work, _command: Any) -> Outcome:
        bench.change(work.id, owner="other")
        return Outcome(vm_state="stopped")

    attend(journal(bench, run), bench, ident)
    assert (bench.operation(ident)["state"], bench.operation(ident)["owner"]) == ("running", "other")
    assert bench.row()["task_state"] == "powering-off"


@pytest.mark.parametrize("deleted", [0, 9])
def test_strays_of_a_lost_lease_are_removed_only_when_the_server_is_gone(bench: Bench, deleted: int) -> None:
    bench.server(deleted=deleted)
    ident, undone = bench.accept("stop"), list[int]()

    def run(work: Work, _command: Any) -> Outcome:
        work.step("a", lambda: bench.change(work.id, owner="other"), undo=lambda: undone.append(1))
        raise AssertionError

    attend(journal(bench, run), bench, ident)
    assert undone == ([1] if deleted else [])


def test_what_is_unavailable_is_tried_later_and_not_earlier(bench: Bench) -> None:
    bench.server()
    ident = bench.accept("stop")
    made = journal(bench, raising(Unavailable("away")))
    wait = attend(made, bench, ident)
    row = bench.operation(ident)
    assert wait == 1.0
    assert (row["state"], row["owner"], row["error"]) == ("queued", None, "away")
    assert row["lease_until"] == stamp(bench.clock.now() + timedelta(seconds=1))
    assert attend(made, bench, ident) is None
    assert bench.operation(ident)["attempts"] == 1
    bench.clock.advance(1)
    assert attend(made, bench, ident) == 2.0


def test_waiting_grows_to_a_limit_and_ends(bench: Bench) -> None:
    bench.server()
    made = journal(bench, raising(Unavailable("away")))
    assert attend(made, bench, bench.accept("stop", attempts=20)) == 30.0
    bench.server("s2")
    last = bench.accept("stop", "s2", attempts=39)
    assert attend(made, bench, last) is None
    assert bench.operation(last)["state"] == "failed"


def test_an_undo_is_never_given_up(bench: Bench) -> None:
    bench.server(vm_state="building")
    ident = bench.accept("create", attempts=500)

    def run(work: Work, _command: Any) -> Outcome:
        work.step("a", lambda: None, undo=away)
        raise Conflict("no")

    def away() -> None:
        raise Unavailable("away")

    assert attend(journal(bench, run, "create"), bench, ident) == 30.0
    assert bench.operation(ident)["state"] == "queued"
    assert bench.row()["vm_state"] == "building"


def test_an_undo_that_fails_is_told_with_the_reason(bench: Bench) -> None:
    bench.server(vm_state="building")
    ident = bench.accept("create")

    def stuck() -> None:
        raise Conflict("stuck")

    def run(work: Work, _command: Any) -> Outcome:
        work.step("a", lambda: None, undo=stuck)
        raise Conflict("no")

    attend(journal(bench, run, "create"), bench, ident)
    assert bench.operation(ident)["error"] == "no (and could not be taken back: stuck)"
    assert bench.row()["vm_state"] == "error"


def test_one_operation_of_a_server_at_a_time_in_the_order_of_their_acceptance(bench: Bench) -> None:
    bench.server()
    first, second = bench.accept("stop"), bench.accept("stop")
    made = journal(bench, lambda _w, _c: Outcome())
    bench.change(first, state="running", owner="other", lease_until=stamp(bench.clock.now() + timedelta(seconds=9)))
    assert attend(made, bench, second) == 1.0
    assert bench.operation(second)["attempts"] == 0
    with bench.cell.database.read() as connection:
        assert journal_rows.due(connection, stamp(bench.clock.now())) == []
    bench.clock.advance(10)
    with bench.cell.database.read() as connection:
        assert journal_rows.due(connection, stamp(bench.clock.now())) == [first]
        seen = bench.operation(second)
        assert journal_rows.due_before(connection, seen, stamp(bench.clock.now())) == [first]


def test_a_delete_ends_the_waiting_of_what_it_cancels(bench: Bench) -> None:
    bench.server()
    later = stamp(bench.clock.now() + timedelta(seconds=30))
    waiting, running = bench.accept("stop", lease_until=later), bench.accept("stop")
    bench.change(running, state="running", lease_until=later)
    with bench.cell.database.write() as connection:
        journal_rows.cancel_earlier(connection, "s1", stamp(bench.clock.now()))
    assert (bench.operation(waiting)["cancel"], bench.operation(waiting)["lease_until"]) == (True, None)
    assert (bench.operation(running)["cancel"], bench.operation(running)["lease_until"]) == (True, later)


def test_what_was_cancelled_meanwhile_does_not_wait(bench: Bench) -> None:
    bench.server()
    ident = bench.accept("stop")

    def run(work: Work, _command: Any) -> Outcome:
        bench.change(work.id, cancel=True)
        raise Unavailable("away")

    attend(journal(bench, run), bench, ident)
    assert bench.operation(ident)["lease_until"] is None


def test_renewing_prolongs_the_leases_of_what_runs(bench: Bench) -> None:
    bench.server()
    ident = bench.accept("stop")

    def run(work: Work, _command: Any) -> Outcome:
        bench.clock.advance(50)
        made.renew()
        assert work.until == bench.clock.now() + timedelta(seconds=60)
        assert bench.operation(ident)["lease_until"] == stamp(work.until)
        return Outcome()

    made = journal(bench, run)
    attend(made, bench, ident)
    assert bench.operation(ident)["state"] == "done"


def test_renewing_does_not_believe_in_a_lease_that_others_took(bench: Bench) -> None:
    bench.server()
    ident = bench.accept("stop")

    def run(work: Work, _command: Any) -> Outcome:
        before = work.until
        bench.change(ident, owner="other")
        made.renew()
        assert work.until == before
        return Outcome()

    made = journal(bench, run)
    attend(made, bench, ident)
    assert bench.operation(ident)["owner"] == "other"


def test_what_an_accept_left_halfway_gives_its_quota_back(bench: Bench) -> None:
    bench.server("there")
    mapping = {
        "cell_id": 1,
        "project_id": "project",
        "user_id": "user",
        "cores": 1,
        "ram": 128,
        "created_at": stamp(bench.clock.now()),
        "counted": True,
        "confirmed": False,
    }
    with bench.store.api.write() as connection:
        limits = {"instances": 9, "cores": 9, "ram": 9999}
        wanted = {"instances": 2, "cores": 2, "ram": 256}
        assert server_mappings.reserve(connection, server_mappings.Demand("project", "user", wanted, limits))
        server_mappings.add(connection, [{"uuid": uuid, **mapping} for uuid in ("there", "lost")])
    confirm_mappings(bench.tools)
    with bench.store.api.read() as connection:
        assert server_mappings.usage(connection, "project")["instances"] == 2  # it may still be being written
    bench.clock.advance(61)
    confirm_mappings(bench.tools)
    with bench.store.api.read() as connection:
        assert server_mappings.usage(connection, "project") == {"instances": 1, "cores": 1, "ram": 128}
