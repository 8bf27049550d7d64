from sqlalchemy.engine import Connection
from tests.unit.store.rows import NOW

from kilonova.store import hosts
from kilonova.store.api_tables import aggregate_hosts, aggregates, cells, host_mappings

LATER = "2026-01-01T00:01:00.000000"


def report(cell: Connection, host: str = "h", node: str = "n", uuid: str = "1") -> None:
    hosts.heartbeat(cell, host, hosts.COMPUTE, f"service-{host}", NOW)
    hosts.report_node(cell, host, uuid, node, "{}", NOW)


def test_a_service_is_made_once(cell: Connection) -> None:
    assert hosts.heartbeat(cell, "h", hosts.COMPUTE, "1", NOW) is True
    assert hosts.heartbeat(cell, "h", hosts.COMPUTE, "2", LATER) is False
    found = hosts.service(cell, "h")
    assert found is not None
    assert (found["uuid"], found["last_seen"]) == ("1", LATER)
    assert hosts.service(cell, "other") is None


def test_up_or_down() -> None:
    row = {"forced_down": False, "last_seen": LATER}
    assert hosts.is_up(row, NOW)
    assert not hosts.is_up(row, "2027")
    assert not hosts.is_up({**row, "forced_down": True}, NOW)
    assert not hosts.is_up({**row, "last_seen": None}, NOW)
    assert not hosts.is_up(None, NOW)


def test_nodes_with_their_services(cell: Connection) -> None:
    report(cell)
    report(cell, "i", "m", "2")
    hosts.report_node(cell, "h", "1", "n", '{"a":1}', LATER)
    assert {row["node"] for row in hosts.nodes_by_uuid(cell)} == {"n", "m"}
    (found,) = hosts.nodes_by_uuid(cell, ["1"])
    assert (found["facts"], found["disabled"]) == ('{"a":1}', False)
    assert [row["host"] for row in hosts.compute_services(cell, ["h", "none"])] == ["h"]


def test_named_destinations(cell: Connection) -> None:
    report(cell)
    assert hosts.node_exists(cell, "h", None)
    assert hosts.node_exists(cell, None, "n")
    assert hosts.node_exists(cell, "h", "n")
    assert not hosts.node_exists(cell, "h", "m")
    assert not hosts.node_exists(cell, "i", None)


def test_failed_builds_are_counted_until_one_succeeds(cell: Connection) -> None:
    report(cell)
    for _ in range(2):
        hosts.build_failed(cell, "h", "n")
    assert hosts.nodes_by_uuid(cell)[0]["failed_builds"] == 2
    hosts.build_succeeded(cell, "h", "n")
    assert hosts.nodes_by_uuid(cell)[0]["failed_builds"] == 0


def test_aggregates_and_mappings(api: Connection) -> None:
    for ident in (1, 2):
        values = {"id": ident, "uuid": str(ident), "name": f"a{ident}", "metadata": "{}", "created_at": NOW}
        api.execute(aggregates.insert().values(**values))
    api.execute(aggregate_hosts.insert().values(aggregate_id=1, host="h"))
    found = {(row["name"], row["host"]) for row in hosts.aggregates_with_hosts(api)}
    assert found == {("a1", "h"), ("a2", None)}
    api.execute(cells.insert().values(id=1, uuid="1", name="one", disabled=False))
    api.execute(host_mappings.insert().values(host="h", cell_id=1))
    assert hosts.mapped(api, 1) == ["h"]
    assert hosts.mapped(api, 2) == []
