"""What ran when, for reports of use."""

from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_servers, server

from kilonova.store import compute_nodes, usage


def test_servers_of_a_stretch_of_time(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(
            connection,
            server("a", launched_at=NOW, host="h"),
            server("b", launched_at=NOW, terminated_at=LATER, host="h"),
            server("c", project_id="q", launched_at=LATER, host="i"),
            server("never"),
        )
        pages = usage.page(connection, NOW, MUCH_LATER)
        assert [row["uuid"] for row in pages] == ["a", "b", "c"]
        assert [row["uuid"] for row in usage.page(connection, MUCH_LATER, MUCH_LATER)] == ["a", "c"]
        assert usage.page(connection, NOW, NOW) == [], "the end is not within"
        assert [row["uuid"] for row in usage.page(connection, NOW, MUCH_LATER, project_id="q")] == ["c"]
        assert [row["uuid"] for row in usage.page(connection, NOW, MUCH_LATER, limit=1, after=("p", "a"))] == ["b"]
        assert usage.project_of(connection, "c") == "q"
        assert usage.project_of(connection, "none") is None
        assert [row["uuid"] for row in usage.on_host(connection, "h", NOW, MUCH_LATER)] == ["a", "b"]


def test_an_audit_is_begun_once_unless_it_got_stuck(databases: Databases) -> None:
    key = {"host": "h", "period_beginning": NOW, "period_ending": LATER}
    with databases.cell.write() as connection:
        assert usage.begin_audit(connection, key, NOW, stale="2020")
        assert not usage.begin_audit(connection, key, NOW, stale="2020")
        assert usage.begin_audit(connection, key, LATER, stale=NOW)
        assert [row["state"] for row in usage.audits(connection, NOW, LATER)] == [usage.RUNNING]
        usage.end_audit(connection, key, {"instances": 2, "errors": 1, "message": "m", "updated_at": LATER})
        assert not usage.begin_audit(connection, key, MUCH_LATER, stale=MUCH_LATER)
        assert [(row["state"], row["instances"]) for row in usage.audits(connection, NOW, LATER)] == [(usage.DONE, 2)]
        assert usage.audits(connection, NOW, MUCH_LATER) == []


def test_counters_of_a_volume_go_on_over_restarts_and_attachments(databases: Databases) -> None:
    key = {"server_uuid": "s", "volume_id": "v"}
    with databases.cell.write() as connection:

        def count(reads: int, *, last: bool = False) -> int:
            sums = usage.count_volume(connection, key, {"reads": reads, "writes": 2 * reads}, NOW, last=last)
            assert sums["writes"] == 2 * sums["reads"]
            return int(sums["reads"])

        assert [count(5), count(7)] == [5, 7]
        assert count(3) == 10, "the guest was started anew"
        assert count(4, last=True) == 11
        assert count(6) == 17, "attached again"


def test_a_hosts_servers_by_project(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(
            connection,
            server("a", host="h", vcpus=1, memory_mb=2, disk_gb=3),
            server("b", host="h", vcpus=10, memory_mb=20, disk_gb=30),
            server("c", project_id="q", host="h"),
            server("gone", host="h", deleted=1),
            server("elsewhere", host="i"),
        )
        assert compute_nodes.use_by_project(connection, "h") == {"p": (11, 22, 33), "q": (2, 3, 4)}
        assert compute_nodes.use_by_project(connection, "none") == {}
        assert compute_nodes.of_host(connection, "h") == []
