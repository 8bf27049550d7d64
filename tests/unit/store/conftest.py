"""Databases in memory, made once; what a test writes is rolled back."""

import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cell_tables


class _Over(Exception):
    """The test has ended."""


def _opened(metadata: sa.MetaData) -> Iterator[Database]:
    database = Database(DatabaseOptions(connection="sqlite://"))
    metadata.create_all(database.engine)
    yield database
    database.dispose()


def _undone(database: Database) -> Iterator[Connection]:
    with contextlib.suppress(_Over), database.write() as connection:
        yield connection
        raise _Over


@pytest.fixture(scope="session")
def api_database() -> Iterator[Database]:
    yield from _opened(api_tables.metadata)


@pytest.fixture(scope="session")
def cell_database() -> Iterator[Database]:
    yield from _opened(cell_tables.metadata)


@pytest.fixture
def api(api_database: Database) -> Iterator[Connection]:
    """A transaction on an API database."""
    yield from _undone(api_database)


@pytest.fixture
def cell(cell_database: Database) -> Iterator[Connection]:
    """A transaction on a cell's database."""
    yield from _undone(cell_database)
