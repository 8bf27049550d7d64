"""Empty databases, in memory."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cell_tables


def _opened(metadata: sa.MetaData) -> Iterator[Connection]:
    database = Database(DatabaseOptions(connection="sqlite://"))
    metadata.create_all(database.engine)
    with database.write() as connection:
        yield connection
    database.dispose()


@pytest.fixture
def api() -> Iterator[Connection]:
    """A transaction on an API database."""
    yield from _opened(api_tables.metadata)


@pytest.fixture
def cell() -> Iterator[Connection]:
    """A transaction on a cell's database."""
    yield from _opened(cell_tables.metadata)
