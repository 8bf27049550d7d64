from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.unit.databases import fresh
from tests.unit.store.rows import server

from kilonova.api.servers.consoles import hash_of
from kilonova.kit.clock import ManualClock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError, NotFound
from kilonova.kit.rpc.contract import Address, NoAnswer
from kilonova.kit.rpc.local import LocalBus
from kilonova.operations.hosts import Hosts
from kilonova.services.redeem import redeemer
from kilonova.services.tokens import ConsoleTokens
from kilonova.store import cell_tables, console_tokens, servers
from kilonova.store.cells import Cell, Store

TOKEN = "secret"
SERVER = server(1, host="h1")


class Host:
    """Where the console of the one guest is now, as its host says."""

    def __init__(self) -> None:
        self.says: dict[str, Any] | KilonovaError = {"host": "10.0.0.1", "port": 5901}
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []

    def once(self, host: str, call: str, arguments: Mapping[str, Any], *, timeout: float) -> Any:
        assert timeout < 10
        self.asked.append((host, call, arguments))
        if isinstance(self.says, KilonovaError):
            raise self.says
        return self.says


def _tables(database: Database) -> None:
    cell_tables.metadata.create_all(database.engine)


def store_with(clock: ManualClock) -> Store:
    """A cell with one server and one token for it, valid for a minute."""
    database = fresh(_tables)
    expires = stamp(clock.now() + timedelta(minutes=1))
    values = {"server_uuid": SERVER["uuid"], "kind": "novnc", "host": "10.0.0.1", "port": 5901, "expires_at": expires}
    with database.write() as connection:
        servers.insert(connection, [SERVER])
        console_tokens.add(connection, {"token_hash": hash_of(TOKEN), **values}, stamp(clock.now()))
    api = Database(DatabaseOptions(connection="sqlite://"))
    return Store(api, (Cell(1, "u1", "cell1", database),))


def test_a_proxy_redeems_over_the_bus_until_the_token_expires() -> None:
    clock = ManualClock()
    store = store_with(clock)
    bus = LocalBus()
    tokens = ConsoleTokens(store, clock, cast("Hosts", Host()))
    listener = bus.serve(Address("conductor", "here"), tokens.handlers(), threads=1)
    try:
        redeem = redeemer(bus)
        found = redeem(TOKEN)
        assert found is not None
        assert (found.host, found.port, found.server, found.kind) == ("10.0.0.1", 5901, SERVER["uuid"], "novnc")
        assert found.expires.replace(tzinfo=UTC) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
        assert redeem("wrong") is None
        clock.advance(61)
        assert redeem(TOKEN) is None
    finally:
        listener.stop()
        store.dispose()


def test_only_the_hash_is_looked_for_and_the_host_is_asked_whether_the_console_is_there() -> None:
    store = store_with(ManualClock())
    host = Host()
    tokens = ConsoleTokens(store, ManualClock(), cast("Hosts", host))
    assert tokens.redeem({"token": hash_of(TOKEN)}) is None
    assert host.asked == []
    assert (tokens.redeem({"token": TOKEN}) or {})["server"] == SERVER["uuid"]
    assert host.asked == [("h1", "console", {"uuid": SERVER["uuid"], "kind": "novnc"})]
    store.dispose()


@pytest.mark.parametrize(
    "says",
    [{"host": "10.0.0.1", "port": 5902}, {"host": "10.0.0.2", "port": 5901}, NotFound("it has moved")],
)
def test_a_token_ends_when_its_port_may_be_somebody_elses(says: Any) -> None:
    store = store_with(ManualClock())
    host = Host()
    host.says = says
    assert ConsoleTokens(store, ManualClock(), cast("Hosts", host)).redeem({"token": TOKEN}) is None
    store.dispose()


def test_a_host_that_says_nothing_is_not_taken_for_a_no() -> None:
    store = store_with(ManualClock())
    host = Host()
    host.says = NoAnswer(topic="compute", server="h1", seconds=8)
    with pytest.raises(NoAnswer):
        ConsoleTokens(store, ManualClock(), cast("Hosts", host)).redeem({"token": TOKEN})
    store.dispose()


@pytest.mark.parametrize("change", [{"host": None}, {"deleted": 1}])
def test_a_token_ends_with_its_server(change: dict[str, Any]) -> None:
    store = store_with(ManualClock())
    with store.home.database.write() as connection:
        servers.update(connection, SERVER["uuid"], change)
    host = Host()
    assert ConsoleTokens(store, ManualClock(), cast("Hosts", host)).redeem({"token": TOKEN}) is None
    assert host.asked == []
    store.dispose()
