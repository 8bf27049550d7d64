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
        assert usage.by_host(connection, NOW, MUCH_LATER) == {"h": 2, "i": 1}


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
