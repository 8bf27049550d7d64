from datetime import UTC, datetime, timedelta

from kilonova.api.servers.consoles import hash_of
from kilonova.kit.clock import ManualClock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.rpc.contract import Address
from kilonova.kit.rpc.local import LocalBus
from kilonova.services.redeem import redeemer
from kilonova.services.tokens import ConsoleTokens
from kilonova.store import cell_tables, console_tokens
from kilonova.store.cells import Cell, Store

TOKEN = "secret"


def store_with(clock: ManualClock) -> Store:
    """A cell with one token, valid for a minute."""
    database = Database(DatabaseOptions(connection="sqlite://"))
    cell_tables.metadata.create_all(database.engine)
    expires = stamp(clock.now() + timedelta(minutes=1))
    values = {"server_uuid": "s1", "kind": "novnc", "host": "10.0.0.1", "port": 5901, "expires_at": expires}
    with database.write() as connection:
        console_tokens.add(connection, {"token_hash": hash_of(TOKEN), **values}, stamp(clock.now()))
    api = Database(DatabaseOptions(connection="sqlite://"))
    return Store(api, (Cell(1, "u1", "cell1", database),))


def test_a_proxy_redeems_over_the_bus_until_the_token_expires() -> None:
    clock = ManualClock()
    store = store_with(clock)
    bus = LocalBus()
    listener = bus.serve(Address("conductor", "here"), ConsoleTokens(store, clock).handlers(), threads=1)
    try:
        redeem = redeemer(bus)
        found = redeem(TOKEN)
        assert found is not None
        assert (found.host, found.port, found.server, found.kind) == ("10.0.0.1", 5901, "s1", "novnc")
        assert found.expires.replace(tzinfo=UTC) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
        assert redeem("wrong") is None
        clock.advance(61)
        assert redeem(TOKEN) is None
    finally:
        listener.stop()
        store.dispose()


def test_only_the_hash_is_looked_for() -> None:
    store = store_with(ManualClock())
    tokens = ConsoleTokens(store, ManualClock())
    assert tokens.redeem({"token": hash_of(TOKEN)}) is None
    assert (tokens.redeem({"token": TOKEN}) or {})["server"] == "s1"
    store.dispose()
