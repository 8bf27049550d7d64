import pytest
from tests.unit.operations.conftest import Bench

from kilonova.domain.lifecycle import WrongState
from kilonova.operations.accepting import Acceptor
from kilonova.operations.reboot import Reboot
from kilonova.store import operations as journal_rows


def acceptor(bench: Bench, rung: list[tuple[int, list[str]]]) -> Acceptor:
    return Acceptor(clock=bench.clock, bell=lambda cell, ids: rung.append((cell, ids)))


def test_state_and_operation_are_written_and_the_bell_rung(bench: Bench) -> None:
    server, rung = bench.server(), list[tuple[int, list[str]]]()
    ident = acceptor(bench, rung).accept(bench.context, bench.cell, server, "reboot", Reboot(hard=False))
    operation = bench.operation(ident)
    assert bench.row()["task_state"] == "rebooting"
    assert (operation["state"], operation["command"], operation["request_id"]) == ("queued", '{"hard":false}', "req-1")
    assert rung == [(1, [ident])]


def test_the_loser_of_a_race_is_told_what_it_met(bench: Bench) -> None:
    seen, rung = bench.server(), list[tuple[int, list[str]]]()
    acceptor(bench, rung).accept(bench.context, bench.cell, seen, "stop")
    with pytest.raises(WrongState, match="task_state powering-off"):
        acceptor(bench, rung).accept(bench.context, bench.cell, seen, "pause")
    assert len(rung) == 1


def test_a_delete_asks_what_is_under_way_to_stop(bench: Bench) -> None:
    server, rung = bench.server(), list[tuple[int, list[str]]]()
    accept = acceptor(bench, rung).accept
    first = accept(bench.context, bench.cell, server, "stop")
    last = accept(bench.context, bench.cell, bench.row(), "delete")
    assert (bench.operation(first)["cancel"], bench.operation(last)["cancel"]) == (True, False)
    assert bench.operation(last)["blocked"]
    assert bench.row()["task_state"] == "deleting"


def test_a_note_is_an_operation_that_is_done(bench: Bench) -> None:
    server = bench.server()
    acceptor(bench, []).note(bench.context, bench.cell, server, "lock", {"locked_by": "owner"})
    assert bench.row()["locked_by"] == "owner"
    with bench.cell.database.read() as connection:
        assert [row["state"] for row in journal_rows.of_server(connection, "s1")] == ["done"]
