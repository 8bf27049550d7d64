"""Work that a deadlock ended is done again."""

import threading

import pytest
import sqlalchemy as sa
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, NOW, add_servers, server

from kilonova.kit.db.engine import DatabaseBusy
from kilonova.store import server_mappings, servers


def test_two_who_wait_for_each_other_both_finish(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("a"), server("b"))
    met = threading.Barrier(2)
    tries = {"ab": 0, "ba": 0}
    failures: list[BaseException] = []

    def both(order: str) -> None:
        def work(connection: sa.Connection) -> None:
            tries[order] += 1
            servers.update(connection, order[0], {"progress": 1, "updated_at": LATER})
            if tries[order] == 1 and databases.kind != "sqlite":  # there the second waits before it has anything
                met.wait(20)
            servers.update(connection, order[1], {"power_state": 4, "updated_at": LATER})

        try:
            databases.cell.transact(work)
        except BaseException as error:  # noqa: BLE001  # told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=both, args=(order,)) for order in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sum(tries.values()) == (2 if databases.kind == "sqlite" else 3)
    with databases.cell.read() as connection:
        found = servers.get_many(connection, ["a", "b"])
    assert {(r["progress"], r["power_state"], r["revision"]) for r in found} == {(1, 4, 2)}


def test_work_that_fails_leaves_nothing(databases: Databases) -> None:
    def work(connection: sa.Connection) -> None:
        add_servers(connection, server("a"))
        raise LookupError("no")

    with pytest.raises(LookupError):
        databases.cell.transact(work)
    with databases.cell.read() as connection:
        assert servers.get(connection, "a") is None


def test_contention_without_end_is_told(databases: Databases) -> None:
    tries = []

    def work(_connection: sa.Connection) -> None:
        tries.append(1)
        raise DatabaseBusy(reason="always")

    with pytest.raises(DatabaseBusy, match="always"):
        databases.cell.transact(work)
    assert len(tries) == 40


def test_a_read_sees_what_was_committed_meanwhile(databases: Databases) -> None:
    with databases.api.read() as connection:
        assert server_mappings.usage(connection, "p")["instances"] == 0
        databases.api.transact(
            lambda other: server_mappings.reserve(
                other,
                server_mappings.Demand(
                    "p", "u", {"instances": 1, "cores": 1, "ram": 1}, {"instances": 9, "cores": 9, "ram": 9}
                ),
            )
        )
        assert server_mappings.usage(connection, "p")["instances"] == 1


def test_values_too_long_or_missing_are_refused_not_cut(databases: Databases) -> None:
    if databases.kind == "sqlite":
        return  # SQLite has no lengths; the API's schemas hold them
    with databases.cell.write() as connection, pytest.raises(sa.exc.DBAPIError), connection.begin_nested():
        add_servers(connection, server("x" * 37))
    with databases.cell.write() as connection, pytest.raises(sa.exc.DBAPIError), connection.begin_nested():
        add_servers(connection, server("x", vm_state=None))
    with databases.cell.read() as connection:
        assert servers.existing(connection, ["x", "x" * 36]) == set()
        assert servers.hosts_of(connection, []) == {}
    assert NOW < LATER
