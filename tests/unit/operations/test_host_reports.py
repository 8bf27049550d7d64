from typing import Any

import pytest
from tests.unit.operations.conftest import Bench

from kilonova.operations.host_reports import HostReports
from kilonova.store import hosts as host_rows


def report(bench: Bench, **guests: int) -> Any:
    return HostReports(bench.tools, bench.cell).guests({"host": "one", "guests": guests})


def test_a_host_is_known_from_its_first_word(bench: Bench) -> None:
    reports = HostReports(bench.tools, bench.cell)
    reports.alive({"host": "one"})
    node = {"uuid": "33333333-3333-3333-3333-333333333333", "name": "one"}
    assert reports.nodes({"host": "one", "nodes": [node]}) == {"disabled": False}
    with bench.cell.database.read() as connection:
        found = host_rows.nodes_by_uuid(connection)
        assert host_rows.is_up(found[0], "2025-12-31")
    assert [row["node"] for row in found] == ["one"]


@pytest.mark.parametrize(
    ("vm_state", "power", "truth"),
    [("active", 4, "stopped"), ("stopped", 1, "active"), ("active", 3, "paused"), ("error", 4, "error")],
)
def test_what_a_guest_did_by_itself_is_taken_up(bench: Bench, vm_state: str, power: int, truth: str) -> None:
    bench.server(host="one", vm_state=vm_state)
    bench.clock.advance(60)
    assert report(bench, s1=power) == {"unwanted": [], "moved": [], "unneeded": []}
    assert (bench.row()["vm_state"], bench.row()["power_state"]) == (truth, power)


@pytest.mark.parametrize("values", [{"task_state": "powering-off"}, {"vm_state": "building", "task_state": "spawning"}])
def test_a_server_that_is_worked_on_is_left_alone(bench: Bench, values: dict[str, Any]) -> None:
    bench.server(**{"host": "one", **values})
    bench.clock.advance(60)
    assert report(bench, s1=4) == {"unwanted": [], "moved": [], "unneeded": []}
    assert bench.row()["power_state"] == 0


def test_a_report_may_be_older_than_a_change(bench: Bench) -> None:
    bench.server(host="one", vm_state="stopped")
    bench.clock.advance(1)
    report(bench, s1=1)
    assert bench.row()["vm_state"] == "stopped"


@pytest.mark.parametrize(
    ("values", "unwanted"),
    [
        ({"host": "two"}, True),
        ({"host": None, "vm_state": "error"}, True),
        ({"host": "two", "deleted": 5}, True),
        ({"host": "one", "deleted": 5}, True),
        ({"host": "two", "vm_state": "building", "task_state": "spawning"}, True),
        ({"host": None, "vm_state": "building", "task_state": "scheduling"}, True),
        ({"host": "two", "vm_state": "active", "task_state": "migrating"}, False),
        ({"host": "one", "vm_state": "building", "task_state": "spawning"}, False),
        ({"host": "one", "vm_state": "building", "task_state": "deleting"}, False),
    ],
)
def test_a_guest_is_unwanted_where_its_server_is_not(bench: Bench, values: dict[str, Any], unwanted: bool) -> None:
    bench.server(**values)
    assert report(bench, s1=1) == {"unwanted": ["s1"] if unwanted else [], "moved": [], "unneeded": []}


def test_a_guest_nobody_knows_may_be_of_another_cloud(bench: Bench) -> None:
    assert report(bench, stranger=1) == {"unwanted": [], "moved": [], "unneeded": []}
