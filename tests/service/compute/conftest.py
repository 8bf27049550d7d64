"""A Compute API of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.compute.harness import CELLS, FILES, Api, api_over, open_store

from kilonova.api.wiring import Compute
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cell_tables
from kilonova.store.cells import write_mapping


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with databases that have tables and cells; copied, not used."""
    folder = tmp_path_factory.mktemp("empty")
    databases = [Database(DatabaseOptions(connection=f"sqlite:///{folder / name}")) for name in FILES]
    for database, metadata in zip(databases, (api_tables.metadata, *[cell_tables.metadata] * 2), strict=True):
        metadata.create_all(database.engine)
    for uuid, name in CELLS:
        write_mapping(databases[0], {"uuid": uuid, "name": name, "disabled": False})
    for database in databases:
        database.dispose()
    return folder


@pytest.fixture
def compute(tmp_path: Path, empty: Path) -> Iterator[Compute]:
    store = open_store(empty, tmp_path)
    yield Compute(store=store, clock=ManualClock(), quota=QuotaOptions())
    store.dispose()


@pytest.fixture
def api(compute: Compute) -> Api:
    return api_over(compute)
