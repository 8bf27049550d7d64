from collections.abc import Iterator

import pytest

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cells
from kilonova.store.cells import CELL0, Cell, CellNotFound, Store


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database(DatabaseOptions(connection="sqlite://"))
    api_tables.metadata.create_all(found.engine)
    yield found
    found.dispose()


def test_the_only_cell_is_home(database: Database) -> None:
    zero, one, two = (Cell(n, uuid, str(n), database) for n, uuid in enumerate((CELL0, "1", "2")))
    assert Store(database, (zero, one)).home is one
    assert Store(database, (zero, one, two)).home is zero
    assert Store(database, (zero, one, two)).working == (one, two)
    assert zero.is_cell0
    assert not one.is_cell0


def test_servers_are_located_by_their_mapping(database: Database) -> None:
    for uuid in ("1", "2"):
        cells.write_mapping(database, {"uuid": uuid, "name": uuid, "disabled": False})
    one, two = Cell(1, "1", "one", database), Cell(2, "2", "two", database)
    store = Store(database, (one, two))
    values = {"uuid": "s", "cell_id": 2, "project_id": "p", "user_id": "u", "cores": 1, "ram": 1, "created_at": "1"}
    with database.write() as connection:
        connection.execute(api_tables.server_mappings.insert().values(**values, counted=True, confirmed=True))
    assert store.locate("s") is two
    assert store.locate("none") is None
    assert Store(database, (one,)).locate("anything") is one
    with pytest.raises(CellNotFound):
        store.cell(3)


def test_a_mapping_is_written_and_changed(database: Database) -> None:
    first = cells.write_mapping(database, {"uuid": "1", "name": "one", "disabled": False})
    assert cells.write_mapping(database, {"uuid": "1", "name": "new", "disabled": True}) == first
    (row,) = cells.mappings(database)
    assert (row["name"], bool(row["disabled"])) == ("new", True)
