"""Records of servers' moves, and what a server counts for meanwhile."""

from typing import Any

from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_servers, server

from kilonova.store import cells, moves, server_mappings
from kilonova.store.moves import MoveQuery

LIMITS = {"instances": 10, "cores": 10, "ram": 10}


def move(uuid: str, server_uuid: str = "s", **more: Any) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "server_uuid": server_uuid,
        "project_id": "p",
        "user_id": "u",
        "kind": "resize",
        "status": "finished",
        "source_compute": "h1",
        "dest_compute": "h2",
        "before": "{}",
        "created_at": NOW,
        "updated_at": NOW,
        **more,
    }


def found(databases: Databases, **wanted: Any) -> list[str] | None:
    with databases.cell.read() as connection:
        page = moves.page(connection, MoveQuery(**wanted))
    return None if page is None else [row["uuid"] for row in page]


def test_pages_and_filters(databases: Databases) -> None:
    with databases.cell.write() as connection:
        for uuid, more in (
            ("m1", {"status": "error"}),
            ("m2", {"server_uuid": "t", "source_compute": "h2", "dest_compute": "h3"}),
            ("m3", {"updated_at": LATER, "created_at": LATER}),
        ):
            moves.insert(connection, move(uuid, **more))
    assert found(databases) == ["m3", "m2", "m1"]
    assert found(databases, newest_first=False, limit=2) == ["m1", "m2"]
    assert found(databases, marker="m3", limit=1) == ["m2"]
    assert found(databases, marker="none") is None
    assert found(databases, host="h1") == ["m3", "m1"]
    assert found(databases, host="h2") == ["m3", "m2", "m1"]
    assert found(databases, equal={"status": "error"}) == ["m1"]
    assert found(databases, since=LATER) == ["m3"]
    assert found(databases, before=NOW) == ["m2", "m1"]


def test_what_is_under_way(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s", vm_state="resized", host="h2"), server("t", host="h2"), server("u"))
        moves.insert(connection, move("m1"))
        moves.insert(connection, move("m2", "t", status="migrating"))
        moves.insert(connection, move("m3", "u", status="done", kind="evacuation"))
        assert [m["uuid"] for m in moves.of_server(connection, "s", {"finished", "error"})] == ["m1"]
        assert moves.destinations(connection, ["s", "t", "u"]) == {"t": "h2"}
        assert moves.destinations(connection, []) == {}
        assert moves.kept_for(connection, "h1", ["s", "t", "u", "none"]) == {"s", "t", "u"}
        assert moves.kept_for(connection, "h2", ["s", "t", "u"]) == {"s", "t"}
        assert moves.kept_for(connection, "h2", []) == set()
        assert [m["uuid"] for m in moves.evacuated_from(connection, "h1")] == ["m3"]
        assert [s["uuid"] for s in moves.unconfirmed(connection, "h2", LATER)] == ["s"]
        assert moves.unconfirmed(connection, "h2", NOW) == moves.unconfirmed(connection, "h1", LATER) == []
        moves.update(connection, "m1", {"status": "confirmed", "updated_at": MUCH_LATER})
        record = moves.get(connection, "m1")
        assert record is not None
        assert record["status"] == "confirmed"
        assert moves.by_number(connection, "s", record["id"]) == record
        assert moves.by_number(connection, "t", record["id"]) is None


def test_progress_is_taken_up_while_it_runs(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s", task_state="migrating"))
        moves.insert(connection, move("m1", kind="live-migration", status="running"))
        moves.insert(connection, move("m2", "gone", kind="live-migration", status="cancelled"))
        record = moves.progress(connection, "m1", {"memory_total": 2**40})
        assert record is not None
        assert (record["memory_total"], record["task_state"], record["cancel"]) == (2**40, "migrating", False)
        late = moves.progress(connection, "m2", {"memory_total": 1})
        assert late is not None
        assert (late["memory_total"], late["task_state"]) == (None, None)
        assert moves.progress(connection, "none", {"memory_total": 1}) is None


def test_a_server_counts_for_another_size(databases: Databases) -> None:
    demand = server_mappings.Demand("p", "u", {"instances": 1, "cores": 2, "ram": 2}, LIMITS)
    cell_id = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    mapping = {
        "uuid": "s",
        "cell_id": cell_id,
        "project_id": "p",
        "user_id": "u",
        "cores": 2,
        "ram": 2,
        "created_at": NOW,
    }

    def recount(cores: int, ram: int, limits: Any = LIMITS) -> tuple[bool, dict[str, int]]:
        with databases.api.write() as connection:
            fits = server_mappings.recount(connection, "s", {"cores": cores, "ram": ram}, limits)
            return fits, server_mappings.usage(connection, "p")

    with databases.api.write() as connection:
        assert server_mappings.reserve(connection, demand)
        server_mappings.add(connection, [{**mapping, "counted": True, "confirmed": True}])
    assert recount(4, 1) == (True, {"instances": 1, "cores": 4, "ram": 1})
    assert recount(4, 1) == (True, {"instances": 1, "cores": 4, "ram": 1})
    assert recount(11, 1) == (False, {"instances": 1, "cores": 4, "ram": 1})
    assert recount(11, 1, None) == (True, {"instances": 1, "cores": 11, "ram": 1})
    assert recount(1, 1) == (True, {"instances": 1, "cores": 1, "ram": 1})
    with databases.api.write() as connection:
        server_mappings.release(connection, "s")
    assert recount(5, 5) == (True, {"instances": 0, "cores": 0, "ram": 0})
