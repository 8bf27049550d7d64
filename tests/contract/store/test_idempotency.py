"""Keys of requests and their replies."""

from sqlalchemy.engine import Connection
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, MUCH_LATER, NOW

from kilonova.kit.db.rows import Row
from kilonova.store import idempotency

REPLY = {"status": 202, "headers": "{}", "body": "{}"}


def values(request: str, **more: object) -> dict[str, object]:
    owner = {"project_id": "p", "user_id": "u", "key": "Schlüssel", "digest": "d"}
    return {**owner, "request_id": request, "held_until": LATER, "created_at": NOW, **more}


def find(connection: Connection, key: str = "Schlüssel") -> Row | None:
    return idempotency.find(connection, "p", "u", key)


def test_a_key_is_held_taken_over_and_answered_once(databases: Databases) -> None:
    with databases.api.write() as connection:
        assert idempotency.begin(connection, values("r1"))
        assert not idempotency.begin(connection, values("r2"))
        assert idempotency.begin(connection, values("r3", key="schlüssel")), "letters differ in size"
        seen = find(connection)
        assert seen is not None
        assert not idempotency.take_over(connection, seen, "r2", NOW, MUCH_LATER), "it is held"
        assert idempotency.take_over(connection, seen, "r2", MUCH_LATER, MUCH_LATER)
        assert not idempotency.take_over(connection, seen, "r4", MUCH_LATER, MUCH_LATER), "seen is stale"
        idempotency.finish(connection, "r1", {**REPLY, "status": 500})
        idempotency.finish(connection, "r2", REPLY)
        seen = find(connection)
        assert seen is not None
        assert (seen["status"], seen["request_id"]) == (202, "r2")


def test_keys_are_forgotten(databases: Databases) -> None:
    with databases.api.write() as connection:
        idempotency.begin(connection, values("r1"))
        idempotency.begin(connection, values("r2", key="k", created_at=LATER))
        idempotency.forget(connection, "r1")
        assert find(connection) is None
        idempotency.finish(connection, "r2", REPLY)
        idempotency.forget(connection, "r2")
        assert find(connection, "k") is not None, "it has a reply"
        assert idempotency.purge(connection, LATER) == 0
        assert idempotency.purge(connection, MUCH_LATER) == 1
