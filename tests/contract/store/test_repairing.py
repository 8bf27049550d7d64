"""What is asked by those who look after a deployment: cells and their mappings, moves between them, the archive."""

import pytest
import sqlalchemy as sa
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW, add_operations, add_servers, operation, server
from tests.contract.store.test_api_database import flavor
from tests.contract.store.test_moves import move

from kilonova.store import (
    archive,
    cells,
    flavors,
    host_mappings,
    hosts,
    mapped,
    moves,
    nodes,
    operations,
    quotas,
    rehoming,
    server_lists,
    server_mappings,
    servers,
)
from kilonova.store.api_tables import cells as cell_mappings
from kilonova.store.mapped import Holdings
from kilonova.store.server_lists import ServerQuery

CELL0 = "00000000-0000-0000-0000-000000000000"


def cell(databases: Databases, uuid: str) -> int:
    row = {"uuid": uuid, "name": uuid, "database_connection": "x", "transport_url": "y", "disabled": False}
    with databases.api.write() as connection:
        connection.execute(cell_mappings.insert().values(**row))
        query = sa.select(cell_mappings.c.id).where(cell_mappings.c.uuid == uuid)
        return int(connection.execute(query).scalar_one())


def mapping(uuid: str, cell_id: int, **more: object) -> dict[str, object]:
    owner = {"project_id": "p", "user_id": "u", "created_at": NOW}
    return {
        "uuid": uuid,
        "cell_id": cell_id,
        **owner,
        "cores": 2,
        "ram": 3,
        "counted": True,
        "confirmed": False,
        **more,
    }


def test_a_server_leaves_its_cell_whole_or_not_at_all(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s"), server("other"))
        operations.insert(connection, [operation("o", "s", state="running", owner="me", lease_until=LATER)])
        step = {"operation_id": "o", "name": "schedule", "attempt": 1, "started_at": NOW}
        operations.add_steps(connection, [step])
        found = rehoming.read(connection, "s")
        assert found is not None
        assert (len(found.operations), len(found.steps), rehoming.read(connection, "nobody")) == (1, 1, None)
        assert not rehoming.remove(connection, found, "o", "somebody else")
        assert rehoming.living(connection, "s")
        assert rehoming.remove(connection, found, "o", "me")
        assert (rehoming.living(connection, "s"), rehoming.living(connection, "other")) == (None, True)
        assert (operations.get(connection, "o"), operations.steps_of(connection, ["o"])) == (None, [])
        for _ in range(2):  # copies take the place of earlier ones
            rehoming.write(connection, found, "o", MUCH_LATER)
        copy = operations.get(connection, "o")
        assert copy is not None
        assert (copy["state"], copy["owner"], copy["lease_until"]) == ("queued", None, MUCH_LATER)
        assert operations.queued(connection) == 1
        taken = operations.take_copy(connection, "o", "me", LATER)
        assert taken is not None
        assert (taken["owner"], operations.take_copy(connection, "o", "you", LATER)) == ("me", None)
        rehoming.forget(connection, "s")
        assert (rehoming.read(connection, "s"), operations.get(connection, "o")) == (None, None)


def test_a_server_that_changed_meanwhile_stays(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s"))
        operations.insert(connection, [operation("o", "s", state="running", owner="me", lease_until=LATER)])
        found = rehoming.read(connection, "s")
        assert found is not None
        servers.update(connection, "s", {"name": "another"})
        assert not rehoming.remove(connection, found, "o", "me")
        assert operations.get(connection, "o") is not None


def test_lists_over_cells(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a", name="x"), server("b", name="y"), server("c", name="x"))
        wanted = ServerQuery(limit=2, sort=(("name", "asc"), ("uuid", "desc")))
        first = server_lists.part(connection, wanted, None)
        assert [row["uuid"] for row in server_lists.merged([first, first], wanted)] == ["c", "a"]
        after = ServerQuery(limit=2, sort=wanted.sort, marker="a")
        place = server_lists.position(connection, after)
        assert [row["uuid"] for row in server_lists.part(connection, after, place)] == ["b"]
        assert server_lists.position(connection, ServerQuery(limit=1, marker="nobody")) is None


def test_mappings_follow_servers(databases: Databases) -> None:
    zero, one = cell(databases, CELL0), cell(databases, "one")
    assert not cells.any_in_cell0(databases.api)
    with databases.api.write() as connection:
        server_mappings.add(connection, [mapping("s", zero), mapping("gone", zero, counted=False)])
        server_mappings.add(connection, [mapping("q", one, project_id="q", created_at=LATER)])
        assert server_mappings.get(connection, "gone") is None
        assert [row["uuid"] for row in server_mappings.in_cells(connection, [zero, one], None, 9)] == ["q", "s"]
        assert server_mappings.in_cells(connection, [zero], ["q"], 9) == []
        assert server_mappings.in_cells(connection, [zero, one], None, -1) == []
        server_mappings.sketch(connection, "s", '{"name":"𝄞"}')
    assert cells.any_in_cell0(databases.api)
    with databases.api.write() as connection:
        server_mappings.relocate(connection, "s", one)
        found = server_mappings.get(connection, "s")
        assert found is not None
        assert (found["cell_id"], bool(found["confirmed"]), found["sketch"]) == (one, True, '{"name":"𝄞"}')
    assert not cells.any_in_cell0(databases.api)


def test_a_cell_and_what_is_mapped_to_it(databases: Databases) -> None:
    one = cell(databases, "one")
    with databases.cell.write() as connection:
        add_servers(connection, server("a"), server("b"), server("c", deleted=3))
        after = mapped.servers_after(connection, "a", 9)
    assert host_mappings.add_new(databases.api, one, ["h", "g"]) == ["h", "g"]
    assert host_mappings.add_new(databases.api, one, ["h", "i"]) == ["i"]
    with databases.api.write() as connection:
        assert [row["uuid"] for row in after] == ["b", "c"]
        mapped.map_servers(connection, one, mapped.unmapped(connection, after))
        assert mapped.unmapped(connection, after) == []
        assert server_mappings.usage(connection, "p") == {"instances": 1, "cores": 2, "ram": 3}
        assert mapped.holdings(connection, one) == Holdings(hosts=3, living=1, gone=1)
        mapped.remove_host(connection, "g")
        assert [(row["host"], row["name"]) for row in mapped.hosts(connection, one)] == [("h", "one"), ("i", "one")]
        assert mapped.mapping(connection, "nobody") is None
        known = mapped.mapping(connection, "c")
        assert known is not None
        assert not known["counted"]
        assert archive.forget_mappings(connection, ["b", "c"]) == {"server_mappings": 2}
        assert server_mappings.usage(connection, "p") == {"instances": 0, "cores": 0, "ram": 0}
        mapped.remove_cell(connection, one)
        assert (mapped.hosts(connection), mapped.holdings(connection, one)) == ([], Holdings(0, 0, 0))


def test_nodes_are_given_to_other_hosts(databases: Databases) -> None:
    with databases.cell.write() as connection:
        for host in ("h", "g"):
            hosts.heartbeat(connection, host, "nova-compute", f"service-{host}", NOW)
        hosts.report_node(connection, "h", "node", "n", "{}", NOW)
        add_servers(connection, server("a", host="h", node="n"), server("b", host="h", node="n", deleted=1))
        assert nodes.of_hosts(connection) == {"h": ["node"]}
        with pytest.raises(nodes.NoSuchHost, match="nowhere"):
            nodes.give(connection, "node", "nowhere")
        assert nodes.give(connection, "unknown", "g") is None
        assert servers.count_by_host(connection) == {"h": 1}
        assert servers.images_by_host(connection) == []
        assert nodes.give(connection, "node", "g") == 1
        assert servers.count_by_host(connection) == {"g": 1}
        assert (nodes.uuid_of(connection, "g", "n"), nodes.uuid_of(connection, "h", "n")) == ("node", None)


def test_what_is_left_of_servers(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a"), server("b", flavor='{"vcpus":2}'))
        add_operations(connection, "o", server_uuid="a")
        moves.insert(connection, move("m", "a", status="finished"))
        moves.insert(connection, move("n", "a", status="error"))
        assert moves.holding(connection, ["m", "n", "x"], ["finished", "done"]) == {"m"}
        assert (moves.position(connection, "m"), moves.position(connection, "x")) == ((NOW, "m"), None)
        assert set(flavors.embedded(connection)) == {"{}", '{"vcpus":2}'}
        servers.purge(connection, ["a"])
        assert moves.holding(connection, ["m"], ["finished"]) == set()
        assert [s["uuid"] for s in mapped.servers_after(connection, "", 9)] == ["b"]


def test_limits_and_flavors_as_a_whole(databases: Databases) -> None:
    with databases.api.write() as connection:
        quotas.set_limits(connection, "p", {"cores": 5, "ram": -1})
        quotas.set_limits(connection, "p", {"cores": 1}, "u")
        assert quotas.of_projects(connection) == {"p": {"cores": 5, "ram": -1}}
        flavor(connection, "a")
        flavor(connection, "b")
        flavors.merge_extra_specs(connection, "b", {"k": "v"}, LATER)
        assert flavors.every_extra_specs(connection) == [{"k": "v"}]
