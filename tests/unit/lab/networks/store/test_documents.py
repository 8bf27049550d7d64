import pytest
import sqlalchemy as sa
from tests.unit.databases import fresh

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database
from kilonova.lab.networks.store.documents import SCHEMA, NetworkStore


def _opened(database: Database) -> NetworkStore:
    return NetworkStore(database, ManualClock())


@pytest.fixture
def store() -> NetworkStore:
    return _opened(fresh(_opened))


def test_documents_come_back_stamped_in_order_and_by_column(store: NetworkStore) -> None:
    for number in range(3):
        row = {"id": f"p{number}", "project_id": "a", "network_id": f"n{number % 2}", "device_id": "d"}
        store.transact(lambda docs, row=row: docs.insert("port", row))  # type: ignore[misc]  # a default cannot be inferred
    with store.read() as docs:
        assert [d["id"] for d in docs.select("port", parents=["n0"])] == ["p0", "p2"]
        assert [d["id"] for d in docs.select("port", ids=["p1"], devices=["d"])] == ["p1"]
        assert docs.select("port", projects=["b"]) == []
        assert docs.count("port", "a") == 3
        found = docs.get("port", "p0")
    assert found is not None
    assert found["created_at"] == "2026-01-01T00:00:00Z"
    assert found["revision_number"] == 0


def test_saving_counts_revisions(store: NetworkStore) -> None:
    document = store.transact(lambda docs: docs.insert("network", {"id": "n", "project_id": "p"}))
    store.transact(lambda docs: docs.save("network", {**document, "name": "x"}))
    with store.read() as docs:
        found = docs.get("network", "n")
    assert found is not None
    assert (found["name"], found["revision_number"]) == ("x", 1)


def test_an_address_cannot_be_claimed_twice(store: NetworkStore) -> None:
    store.transact(lambda docs: docs.claim_address("s", "10.0.0.1", "p1"))
    with pytest.raises(sa.exc.IntegrityError):
        store.transact(lambda docs: docs.claim_address("s", "10.0.0.1", "p2"))
    store.transact(lambda docs: docs.delete("port", "p1"))
    store.transact(lambda docs: docs.claim_address("s", "10.0.0.1", "p2"))
    with store.read() as docs:
        assert docs.holder("s", "10.0.0.1") == "p2"


def test_a_failed_transaction_leaves_nothing(store: NetworkStore) -> None:
    def fails(docs: object) -> None:
        docs.insert("network", {"id": "n", "project_id": "p"})  # type: ignore[attr-defined]  # typed by the store
        raise LookupError

    with pytest.raises(LookupError):
        store.transact(fails)
    with store.read() as docs:
        assert docs.everything() == {}


def test_the_migration_makes_what_the_tables_say(store: NetworkStore) -> None:
    inspector = sa.inspect(store.database.engine)
    for name, table in SCHEMA.metadata.tables.items():
        assert {c["name"] for c in inspector.get_columns(name)} == set(table.columns.keys())
        assert {i["name"] for i in inspector.get_indexes(name)} >= {i.name for i in table.indexes}
