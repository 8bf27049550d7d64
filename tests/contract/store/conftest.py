"""The compute store's two databases on SQLite, MariaDB and PostgreSQL, migrated, and empty for each test."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.store.private_servers import MariaDb, PostgreSql, PrivateServer

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import api_tables, cell_tables
from kilonova.store.cells import API_SCHEMA, CELL_SCHEMA, synchronise

SERVERS: dict[str, Callable[[Path], PrivateServer]] = {"mariadb": MariaDb.start, "postgresql": PostgreSql.start}


@dataclass(frozen=True)
class Databases:
    """What one kind of server holds."""

    kind: str
    api: Database
    cell: Database

    @property
    def both(self) -> tuple[tuple[Any, Database], ...]:
        return ((API_SCHEMA, self.api), (CELL_SCHEMA, self.cell))

    def empty(self) -> None:
        for metadata, database in ((api_tables.metadata, self.api), (cell_tables.metadata, self.cell)):
            with database.write() as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], PrivateServer]]:
    """Starts a kind of server when it is first asked for; a kind that cannot be had skips each of its tests."""
    running: dict[str, PrivateServer] = {}
    # Not pytest's own folder: only its owner may enter that, and the servers run as others.
    with tempfile.TemporaryDirectory(prefix="kilonova-databases-") as folder:
        Path(folder).chmod(0o755)

        def server(kind: str) -> PrivateServer:
            if kind not in running:
                mine = Path(folder, kind)
                mine.mkdir(exist_ok=True)
                running[kind] = SERVERS[kind](mine)
            return running[kind]

        yield server
        for each in running.values():
            each.stop()


@pytest.fixture(
    scope="session",
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.system),
        pytest.param("postgresql", marks=pytest.mark.system),
    ],
)
def migrated(
    request: pytest.FixtureRequest,
    servers: Callable[[str], PrivateServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Databases]:
    kind = str(request.param)
    if kind == "sqlite":
        folder = tmp_path_factory.mktemp("sqlite")
        urls = {name: f"sqlite:///{folder}/{name}.sqlite" for name in ("api", "cell")}
    else:
        server = servers(kind)
        # pytest makes this fixture anew whenever the parameter comes round again, on the same server.
        turn = secrets.token_hex(4)
        urls = {name: server.url(name) for name in (f"nova_api_{turn}", f"nova_cell_{turn}")}
        for name in urls:
            server.create(name)
    api, cell = (Database(DatabaseOptions(connection=url)) for url in urls.values())
    found = Databases(kind, api, cell)
    synchronise(found.both)
    yield found
    api.dispose()
    cell.dispose()


@pytest.fixture
def databases(migrated: Databases) -> Iterator[Databases]:
    """Empty."""
    yield migrated
    migrated.empty()
