"""What hosts report, and consoles on them."""

from typing import Any

import pytest
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_servers, server

from kilonova.store import cells, compute_nodes, console_tokens, host_mappings, hosts, services, usage
from kilonova.store.compute_nodes import Use


def test_services_live_and_are_changed(databases: Databases) -> None:
    with databases.cell.write() as connection:
        assert hosts.heartbeat(connection, "h", "nova-compute", "u1", NOW)
        assert hosts.heartbeat(connection, "H", "nova-compute", "u2", NOW), "another host"
        assert not hosts.heartbeat(connection, "h", "nova-compute", "u3", LATER)
        assert not hosts.heartbeat(connection, "h", "nova-compute", "u3", LATER), "the same moment again"
        found = hosts.service(connection, "h")
        assert found is not None
        assert (found["uuid"], found["last_seen"], found["created_at"]) == ("u1", LATER, NOW)
        assert hosts.is_up(found, LATER)
        assert not hosts.is_up(found, MUCH_LATER)
        services.update(connection, "u2", {"disabled": True, "disabled_reason": "𝄞" * 300, "forced_down": True})
        assert [s["uuid"] for s in services.page(connection, disabled=True)] == ["u2"]
        assert [s["uuid"] for s in services.page(connection, host="h", binary="nova-compute")] == ["u1"]
        assert [s["uuid"] for s in hosts.compute_services(connection, ["h", "x"])] == ["u1"]
        assert services.by_id(connection, found["id"]) == services.by_uuid(connection, "u1")
        services.delete(connection, found, with_nodes=True)
        assert services.by_uuid(connection, "u1") is None


def test_nodes_are_reported_and_used(databases: Databases) -> None:
    with databases.cell.write() as connection:
        for host in ("h", "g%"):
            hosts.heartbeat(connection, host, "nova-compute", f"service-{host}", NOW)
            hosts.report_node(connection, host, f"node-{host}", host, "[1]", NOW)
        hosts.report_node(connection, "h", "node-h", "h", "[" + "2," * 100_000 + "3]", LATER)
        (h, g) = compute_nodes.page(connection)
        assert len(h["facts"]) == 200_003
        assert (h["created_at"], h["updated_at"]) == (NOW, LATER)
        assert [n["node"] for n in compute_nodes.page(connection, pattern="%")] == ["g%"]
        assert [n["node"] for n in compute_nodes.page(connection, pattern="H")] == []
        assert [n["uuid"] for n in compute_nodes.page(connection, limit=1, after=h["id"])] == ["node-g%"]
        assert compute_nodes.find(connection, "node-h") == compute_nodes.find(connection, h["id"]) == h
        assert compute_nodes.uuids_of(connection, "h") == ["node-h"]
        hosts.build_failed(connection, "h", "h")
        hosts.build_failed(connection, "h", "h")
        assert [n["failed_builds"] for n in hosts.nodes_by_uuid(connection, ["node-h"])] == [2]
        hosts.build_succeeded(connection, "h", "h")
        assert sorted(n["failed_builds"] for n in hosts.nodes_by_uuid(connection)) == [0, 0]
        places = [(None, None), ("h", None), (None, "h"), ("h", "h"), ("h", "g%"), ("H", None)]
        verdicts = [hosts.node_exists(connection, host, node) for host, node in places]
        assert verdicts == [True, True, True, True, False, False]
        assert g["service_uuid"] == "service-g%"


def test_what_servers_use(databases: Databases) -> None:
    with databases.cell.write() as connection:
        on_h = {"host": "h", "node": "n"}
        add_servers(
            connection, server("a", **on_h), server("b", task_state="x", **on_h), server("c"), server("d", host="g")
        )
        use = compute_nodes.use(connection, ["h"])
        assert use == {("h", "n"): Use(servers=2, vcpus=4, memory_mb=6, disk_gb=8, busy=1)}
        assert set(compute_nodes.use(connection)) == {("h", "n"), ("g", None)}
        on_hosts = compute_nodes.servers_on(connection, ["h"])
        assert [s["uuid"] for s in on_hosts[("h", "n")]] == ["a", "b"]
        assert services.hosted(connection, ["h", "g"]) == 3


def test_what_projects_used_in_a_period(databases: Databases) -> None:
    on_h = {"host": "h", "node": "n"}
    with databases.cell.write() as connection:
        add_servers(
            connection,
            server("a", launched_at=NOW, **on_h),
            server("b", launched_at=NOW, terminated_at=LATER, deleted=7, project_id="q", **on_h),
            server("c", launched_at=MUCH_LATER),
            server("d"),
        )

        def seen(start: str, end: str, **more: Any) -> list[str]:
            return [row["uuid"] for row in usage.page(connection, start, end, **more)]

        assert seen(NOW, MUCH_LATER) == ["a", "b"]
        assert seen(NOW, MUCH_LATER, project_id="q") == ["b"]
        assert seen(NOW, MUCH_LATER, limit=1) == ["a"]
        assert seen(NOW, MUCH_LATER, after=("p", "a")) == ["b"]
        assert seen(MUCH_LATER, "2027") == ["a", "c"]
        assert seen("2025", NOW) == []
        assert (usage.project_of(connection, "b"), usage.project_of(connection, "x")) == ("q", None)
        hosts.report_node(connection, "h", "node-h", "n", "{}", NOW)
        assert [node["uuid"] for node in compute_nodes.of_host(connection, "h")] == ["node-h"]
        assert set(compute_nodes.use_by_project(connection, "h")) == {"p"}


def test_hosts_belong_to_cells(databases: Databases) -> None:
    cell_id = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    assert cells.write_mapping(databases.api, {"uuid": "c", "name": "renamed"}) == cell_id
    assert [(row["uuid"], row["name"]) for row in cells.mappings(databases.api)] == [("c", "renamed")]
    with databases.api.write() as connection:
        host_mappings.add(connection, cell_id, [])
        host_mappings.add(connection, cell_id, ["h", "H"])
        assert host_mappings.all_hosts(connection) == {"h": cell_id, "H": cell_id}
        assert hosts.mapped(connection, cell_id) == ["H", "h"]
    with pytest.raises(host_mappings.RacedWithAnother), databases.api.write() as connection:
        host_mappings.add(connection, cell_id, ["new", "h"])
    with databases.api.read() as connection:
        assert hosts.mapped(connection, cell_id) == ["H", "h"]
    with databases.cell.write() as connection:
        hosts.heartbeat(connection, "s", "nova-compute", "u", NOW)
        hosts.heartbeat(connection, "x", "nova-conductor", "v", NOW)
        hosts.report_node(connection, "n", "w", "n", "[]", NOW)
        assert host_mappings.in_cell(connection) == ["n"]
        assert host_mappings.in_cell(connection, by_service=True) == ["s"]


def test_consoles_expire(databases: Databases) -> None:
    values = {"server_uuid": "s", "kind": "novnc", "host": "h", "port": 5900, "access_url": "x" * 3000}
    with databases.cell.write() as connection:
        console_tokens.add(connection, {**values, "token_hash": "a" * 64, "expires_at": LATER}, NOW)
        assert console_tokens.find(connection, "a" * 64, LATER) is not None
        assert console_tokens.find(connection, "A" * 64, NOW) is None
        assert console_tokens.find(connection, "a" * 64, MUCH_LATER) is None
        console_tokens.add(connection, {**values, "token_hash": "b", "expires_at": MUCH_LATER}, MUCH_LATER)
        assert console_tokens.find(connection, "a" * 64, NOW) is None, "the expired one is forgotten"
        console_tokens.forget(connection, "s")
        assert console_tokens.find(connection, "b", NOW) is None


def test_where_servers_are(databases: Databases) -> None:
    from kilonova.store import server_mappings  # noqa: PLC0415  # beside what it is about

    one = cells.write_mapping(databases.api, {"uuid": cells.CELL0, "name": "cell0", "disabled": False})
    two = cells.write_mapping(databases.api, {"uuid": "c", "name": "one", "disabled": False})
    handles = (cells.Cell(one, cells.CELL0, "cell0", databases.cell), cells.Cell(two, "c", "one", databases.cell))
    store = cells.Store(databases.api, handles)
    row = {"cell_id": two, "project_id": "p", "user_id": "u", "cores": 1, "ram": 2, "created_at": NOW}
    with databases.api.write() as connection:
        server_mappings.add(connection, [{**row, "uuid": "s"}, {**row, "uuid": "t"}])
        assert {m["uuid"] for m in server_mappings.unconfirmed(connection, LATER)} == {"s", "t"}
        server_mappings.confirm(connection, ["s"])
        assert [m["uuid"] for m in server_mappings.unconfirmed(connection, LATER)] == ["t"]
    assert store.locate("s") == handles[1] == store.home
    assert store.locate("S") is None
    assert store.working == (handles[1],)
    assert store.cell(one).is_cell0
    with pytest.raises(cells.CellNotFound, match="77"):
        store.cell(77)
    with databases.api.write() as connection:
        server_mappings.forget(connection, ["s"])
    assert store.locate("s") is None
