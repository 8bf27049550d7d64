from typing import Any

from sqlalchemy.engine import Connection

from kilonova.store import compute_nodes, hosts, services
from kilonova.store.cell_tables import servers
from kilonova.store.compute_nodes import Use


def node(cell: Connection, host: str, name: str | None = None) -> None:
    hosts.heartbeat(cell, host, "nova-compute", f"service-{host}", "now")
    hosts.report_node(cell, host, f"node-{name or host}", name or host, "{}", "now")


def server(cell: Connection, uuid: str, host: str | None, name: str | None = None, **more: Any) -> None:
    texts = ("metadata", "networks", "network_info", "addresses", "hints", "tags", "flavor", "ips")
    lists = ("security_groups", "volumes")
    row = {
        "uuid": uuid,
        "project_id": "p",
        "user_id": "u",
        "name": "n",
        "vm_state": "active",
        "flavor_id": "1",
        "vcpus": 2,
        "memory_mb": 3,
        "disk_gb": 4,
        "host": host,
        "node": name or host,
        "created_at": "now",
        "updated_at": "now",
        **dict.fromkeys((*texts, *lists), ""),
        **more,
    }
    cell.execute(servers.insert().values(**row))


def test_pages_and_patterns(cell: Connection) -> None:
    for host in ("h1", "h_2", "g3"):
        node(cell, host)
    assert [n["node"] for n in compute_nodes.page(cell)] == ["h1", "h_2", "g3"]
    (second,) = compute_nodes.page(cell, limit=1, after=compute_nodes.page(cell)[0]["id"])
    assert second["node"] == "h_2"
    assert [n["node"] for n in compute_nodes.page(cell, pattern="h")] == ["h1", "h_2"]
    assert [n["node"] for n in compute_nodes.page(cell, pattern="_")] == ["h_2"]


def test_nodes_carry_their_service(cell: Connection) -> None:
    node(cell, "h")
    found = compute_nodes.find(cell, "node-h")
    assert found is not None
    assert (found["service_uuid"], found["last_seen"], found["forced_down"]) == ("service-h", "now", False)
    by_number = compute_nodes.find(cell, found["id"])
    assert by_number is not None
    assert by_number["uuid"] == "node-h"
    assert compute_nodes.find(cell, "none") is None


def test_use_adds_up_living_servers_by_node(cell: Connection) -> None:
    server(cell, "a", "h", "n1")
    server(cell, "b", "h", "n1", task_state="rebooting")
    server(cell, "c", "h", "n2")
    server(cell, "d", "h", "n2", deleted=4)
    server(cell, "e", "g")
    server(cell, "f", None)
    assert compute_nodes.use(cell, ["h"]) == {
        ("h", "n1"): Use(servers=2, vcpus=4, memory_mb=6, disk_gb=8, busy=1),
        ("h", "n2"): Use(servers=1, vcpus=2, memory_mb=3, disk_gb=4, busy=0),
    }
    assert set(compute_nodes.use(cell)) == {("h", "n1"), ("h", "n2"), ("g", "g")}
    found = compute_nodes.servers_on(cell, ["h"])
    assert {place: [s["uuid"] for s in rows] for place, rows in found.items()} == {
        ("h", "n1"): ["a", "b"],
        ("h", "n2"): ["c"],
    }
    assert (services.hosted(cell, ["h", "g"]), services.hosted(cell, ["x"])) == (4, 0)


def test_a_deleted_service_takes_its_nodes_along(cell: Connection) -> None:
    node(cell, "h")
    node(cell, "g")
    hosts.heartbeat(cell, "h", "nova-conductor", "other", "now")
    assert compute_nodes.uuids_of(cell, "h") == ["node-h"]
    found = services.by_uuid(cell, "service-h")
    assert found is not None
    services.delete(cell, found, with_nodes=True)
    assert [n["node"] for n in compute_nodes.page(cell)] == ["g"]
    assert [s["binary"] for s in services.page(cell, host="h")] == ["nova-conductor"]
