"""Many at once want what only one, or only so many, may have."""

import pytest
import sqlalchemy as sa
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import CROWD, LATER, NOW, add_operations, add_servers, at_once, server

from kilonova.kit.errors import KilonovaError
from kilonova.store import cells, hosts, operations, quotas, server_groups, server_mappings, server_passwords, servers
from kilonova.store.api_tables import cells as cells_table
from kilonova.store.cell_tables import compute_nodes, services
from kilonova.store.server_mappings import Demand

ONE = {"instances": 1, "cores": 2, "ram": 512}
NO_LIMIT = {"instances": -1, "cores": -1, "ram": -1}


def cell_of(databases: Databases) -> int:
    return cells.write_mapping(databases.api, {"uuid": "cell", "name": "one", "disabled": False})


def boot(databases: Databases, demand: Demand, cell_id: int, number: int) -> bool:
    """What an accept does: count, and map the server, in one transaction."""

    def accept(connection: sa.Connection) -> bool:
        if not server_mappings.reserve(connection, demand):
            return False
        row = {"uuid": f"s{number}", "cell_id": cell_id, "project_id": "p", "user_id": demand.user_id}
        amounts = {"cores": demand.wanted["cores"], "ram": demand.wanted["ram"]}
        server_mappings.add(connection, [{**row, **amounts, "created_at": NOW}])
        return True

    return databases.api.transact(accept)


@pytest.mark.parametrize(
    "limits", [{"instances": 5}, {"cores": 10}, {"ram": 512 * 5}], ids=lambda limits: next(iter(limits))
)
def test_a_quota_is_reached_and_never_passed(databases: Databases, limits: dict[str, int]) -> None:
    cell_id = cell_of(databases)
    demand = Demand("p", "u", ONE, {**NO_LIMIT, **limits})
    verdicts = at_once(lambda number: boot(databases, demand, cell_id, number))
    assert verdicts.count(True) == 5
    with databases.api.read() as connection:
        assert server_mappings.usage(connection, "p") == {"instances": 5, "cores": 10, "ram": 512 * 5}


def test_a_users_own_limit_is_reached_and_never_passed(databases: Databases) -> None:
    cell_id = cell_of(databases)
    with databases.api.write() as connection:
        quotas.set_limits(connection, "p", {"cores": 6}, "u")
    demand = Demand("p", "u", ONE, NO_LIMIT)
    verdicts = at_once(lambda number: boot(databases, demand, cell_id, number))
    assert verdicts.count(True) == 3
    with databases.api.read() as connection:
        assert quotas.user_usage(connection, "p", "u") == {"instances": 3, "cores": 6, "ram": 512 * 3}


def test_what_is_counted_under_its_lock_never_passes_a_limit(databases: Databases) -> None:
    def create(number: int) -> bool:
        def work(connection: sa.Connection) -> bool:
            quotas.hold(connection, "server_groups", "p")
            if server_groups.count(connection, "p") >= 5:
                return False
            group = {"project_id": "p", "user_id": "u", "name": "g", "policy": "affinity", "rules": "{}"}
            server_groups.create(connection, {**group, "uuid": f"g{number}", "created_at": NOW})
            return True

        return databases.api.transact(work)

    assert at_once(create).count(True) == 5


def test_usage_is_given_back_once(databases: Databases) -> None:
    cell_id = cell_of(databases)
    demand = Demand("p", "u", ONE, NO_LIMIT)
    for number in range(2):
        assert boot(databases, demand, cell_id, number)
    at_once(lambda _number: databases.api.transact(lambda connection: server_mappings.release(connection, "s0")))
    with databases.api.read() as connection:
        assert server_mappings.usage(connection, "p") == ONE


def test_an_operation_has_one_owner(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o")
        seen = operations.get(connection, "o")
    assert seen is not None
    won = at_once(
        lambda number: databases.cell.transact(
            lambda connection: operations.claim(connection, seen, f"c{number}", NOW, LATER)
        )
    )
    assert won.count(True) == 1
    with databases.cell.read() as connection:
        standing = operations.standing(connection, "o")
    assert standing is not None
    assert standing["owner"] == f"c{won.index(True)}"


def test_one_request_begins_a_task(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s"))
        seen = servers.get(connection, "s")
    assert seen is not None
    won = at_once(
        lambda number: databases.cell.transact(
            lambda connection: servers.begin_task(connection, seen, "rebooting", LATER, {"progress": number})
        )
    )
    assert won.count(True) == 1
    with databases.cell.read() as connection:
        after = servers.get(connection, "s")
    assert after is not None
    assert (after["task_state"], after["progress"]) == ("rebooting", won.index(True))
    assert after["revision"] == seen["revision"] + 1


def test_a_service_is_made_once_and_always_seen(databases: Databases) -> None:
    new = at_once(
        lambda number: databases.cell.transact(
            lambda connection: hosts.heartbeat(connection, "h", "nova-compute", f"u{number}", NOW)
        )
    )
    assert new.count(True) == 1
    with databases.cell.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(services)) == 1


def test_a_node_is_made_once(databases: Databases) -> None:
    at_once(
        lambda number: databases.cell.transact(
            lambda connection: hosts.report_node(connection, "h", "uuid", "node", f"[{number}]", NOW)
        )
    )
    with databases.cell.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(compute_nodes)) == 1


def test_limits_set_for_the_first_time_by_many_are_set(databases: Databases) -> None:
    at_once(
        lambda number: databases.api.transact(
            lambda connection: quotas.set_limits(connection, "p", {"cores": 7, "ram": 8}, None)
        )
    )
    at_once(
        lambda number: databases.api.transact(
            lambda connection: quotas.set_class_limits(connection, "default", {"cores": 9})
        )
    )
    with databases.api.read() as connection:
        assert quotas.limits(connection, "p", {"cores": 1, "ram": 1, "instances": 1}) == {
            "cores": 7,
            "ram": 8,
            "instances": 1,
        }
        assert quotas.class_limits(connection, {"cores": 1}) == {"cores": 9}


def test_a_password_is_stored_once(databases: Databases) -> None:
    stored = at_once(
        lambda number: databases.cell.transact(
            lambda connection: server_passwords.put(connection, "s", f"secret {number}")
        )
    )
    assert stored.count(True) == 1
    with databases.cell.read() as connection:
        assert server_passwords.get(connection, "s") == f"secret {stored.index(True)}"


def test_a_step_is_recorded_once(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_operations(connection, "o")
        seen = operations.get(connection, "o")
        assert seen is not None
        assert operations.claim(connection, seen, "me", NOW, LATER)
    step = {"operation_id": "o", "name": "spawn", "started_at": NOW}

    def record(_number: int) -> bool:
        try:
            return databases.cell.transact(lambda connection: operations.add_step(connection, step, "me"))
        except (KilonovaError, sa.exc.IntegrityError):
            return False

    assert at_once(record).count(True) == 1
    with databases.cell.read() as connection:
        assert len(operations.steps_of(connection, ["o"])) == 1


def test_a_cell_is_mapped_once(databases: Databases) -> None:
    def write(number: int) -> int | None:
        try:
            return cells.write_mapping(databases.api, {"uuid": "c", "name": f"n{number}", "disabled": False})
        except (KilonovaError, sa.exc.IntegrityError):
            return None

    known = {ident for ident in at_once(write, range(CROWD // 4)) if ident is not None}
    with databases.api.read() as connection:
        assert list(connection.scalars(sa.select(cells_table.c.id))) == list(known)
