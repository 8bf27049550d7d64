"""Which databases there are: the API database, and one for each cell."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.engine import Database
from kilonova.kit.db.migrate import Schema
from kilonova.kit.errors import NotFound
from kilonova.kit.url_template import fill
from kilonova.store import api_tables, cell_tables
from kilonova.store.cell import CELL0, Answers, Asker, Cell

__all__ = ["API_SCHEMA", "CELL0", "CELL_SCHEMA", "Cell", "CellNotFound", "Store"]
T = TypeVar("T")
API_SCHEMA = Schema(Path(__file__).parent / "migrations" / "api", api_tables.metadata)
CELL_SCHEMA = Schema(Path(__file__).parent / "migrations" / "cell", cell_tables.metadata)


class CellNotFound(NotFound):
    """No cell mapping has this id or UUID."""

    template = "Cell {cell} could not be found."


@dataclass
class Store:
    """All databases of the deployment, as this process reaches them."""

    api: Database
    cells: tuple[Cell, ...] = field(default=())
    strays: bool = False
    """Servers are in cell0 although there is one other cell: once there were more."""
    reread: Callable[[tuple[Cell, ...]], tuple[Cell, ...]] | None = None
    """Gives the cells as they are mapped now, keeping the handles of those that are known."""
    _asker: Asker = field(default_factory=Asker)
    _hosts: dict[str, int] = field(default_factory=dict)
    """Host → cell, as far as this process has looked: a host does not change its cell."""

    @property
    def home(self) -> Cell:
        """Where an accepted server is written before a host is chosen: the only cell there is, else cell0.

        With one cell a server never has to move; docs/adr tells why.
        """
        working = self.working
        if len(working) == 1 and (not working[0].disabled or len(self.cells) == 1):
            return working[0]
        return next(cell for cell in self.cells if cell.is_cell0)

    @property
    def working(self) -> tuple[Cell, ...]:
        """Cells with hosts."""
        return tuple(cell for cell in self.cells if not cell.is_cell0)

    @property
    def holding(self) -> tuple[Cell, ...]:
        """Cells that may hold servers: the only one there is, or all of them, cell0 first."""
        working = self.working
        zero = tuple(cell for cell in self.cells if cell.is_cell0)
        if len(working) == 1 and not (zero and (self.strays or working[0].disabled)):
            return working
        return (*zero, *working)

    def ask(self, question: Callable[[Connection], T], cells: tuple[Cell, ...] | None = None) -> Answers[T]:
        """``question`` put to cells at once, by default to all that may hold servers.

        Those that do not answer are named in the answers; if there is but one, Unavailable is raised.
        """
        asked = self.holding if cells is None else cells
        return self._asker.ask(asked, question) if asked else Answers(())

    def wake(self, cells: tuple[Cell, ...]) -> bool:
        """Ask also those next time that did not answer a moment ago; whether there are any."""
        return self._asker.wake(cells)

    def cell_of_host(self, host: str) -> Cell | None:
        """By its mapping, or else by its service. Raises Unavailable when the one that may have it does not answer."""
        working = self.working
        if len(working) == 1:
            return working[0]
        found = self._hosts.get(host)
        if found is None:
            mapped, services = api_tables.host_mappings.c, cell_tables.services.c
            with self.api.read() as connection:
                found = connection.scalar(sa.select(mapped.cell_id).where(mapped.host == host))
            if found is None:
                known = sa.select(services.id).where(services.host == host, services.binary == "nova-compute")
                answers = self.ask(lambda connection: connection.scalar(known), working)
                found = next((cell.id for cell, there in answers if there is not None), None)
                if found is None:
                    answers.whole()
                    return None
            self._hosts[host] = found
        return self.cell(found)

    def refresh(self) -> None:
        """Take up cells that were added, enabled or disabled since. Raises Unavailable."""
        if self.reread is not None:
            self.cells = self.reread(self.cells)

    def cell(self, cell_id: int) -> Cell:
        """By the mapping's id. Raises CellNotFound."""
        found = self._known(cell_id)
        if found is None:
            self.refresh()  # somebody else has heard of it before us
            found = self._known(cell_id)
        if found is None:
            raise CellNotFound(cell=cell_id)
        return found

    def _known(self, cell_id: int) -> Cell | None:
        return next((cell for cell in self.cells if cell.id == cell_id), None)

    def locate(self, uuid: str) -> Cell | None:
        """The cell that a server is mapped to; None for an unknown server."""
        if len(self.cells) == 1:
            return self.cells[0]
        table = api_tables.server_mappings
        with self.api.read() as connection:
            found = connection.scalar(sa.select(table.c.cell_id).where(table.c.uuid == uuid))
        return None if found is None else self.cell(found)

    def seek(self, uuid: str, read: Callable[[Connection, str], T | None]) -> tuple[Cell, T] | None:
        """What ``read`` finds of a server, and its cell. Raises Unavailable when that does not answer."""
        holding = self.holding
        cell = holding[0] if len(holding) == 1 else self.locate(uuid)
        if cell is None:
            return None
        with cell.database.read() as connection:
            found = read(connection, uuid)
        if found is not None:
            return cell, found
        if cell.is_cell0:  # it may have just left, before its mapping says so
            answers = self.ask(lambda connection: read(connection, uuid), self.working)
            return next(((there, row) for there, row in answers if row is not None), None)
        return None

    def dispose(self) -> None:
        """Close all connections."""
        for database in (self.api, *(cell.database for cell in self.cells)):
            database.dispose()


def mappings(api: Database, connection: str | None = None, transport_url: str | None = None) -> list[Mapping[str, Any]]:
    """Rows of the cells table, disabled ones too.

    With the configured URLs, what mappings leave open (``{hostname}`` …) is filled from them. Raises BadTemplate.
    """
    with api.read() as reader:
        found = [dict(row) for row in reader.execute(sa.select(api_tables.cells)).mappings()]
    for row in found if connection is not None else ():
        row["database_connection"] = fill(row["database_connection"], connection)
        row["transport_url"] = fill(row["transport_url"] or "", transport_url)
    return list(found)


def any_in_cell0(api: Database) -> bool:
    """Whether a living server is mapped to cell0."""
    servers = api_tables.server_mappings.c
    zero = sa.select(api_tables.cells.c.id).where(api_tables.cells.c.uuid == CELL0).scalar_subquery()
    with api.read() as connection:
        query = sa.select(servers.uuid).where(servers.cell_id == zero, servers.counted.is_(sa.true())).limit(1)
        return connection.scalar(query) is not None


def write_mapping(api: Database, row: Mapping[str, Any]) -> int:
    """Add a cell mapping, or change the one with its UUID; returns its id."""
    table = api_tables.cells
    with api.write() as connection:
        found = connection.scalar(sa.select(table.c.id).where(table.c.uuid == row["uuid"]))
        if found is not None:
            connection.execute(table.update().where(table.c.id == found).values(**row))
            return int(found)
        key = connection.execute(table.insert().values(**row)).inserted_primary_key
        return int(key[0])  # type: ignore[index]  # an insert of one row has a key


def cell0_url(connection: str) -> str:
    """Where cell0's database is by default: beside the configured one, its name with ``_cell0`` appended."""
    url = sa.make_url(connection)
    return url.set(database=f"{url.database or ''}_cell0").render_as_string(hide_password=False)


def synchronise(databases: Iterable[tuple[Schema, Database]]) -> None:
    """Bring schemas to their newest revision."""
    for schema, database in databases:
        schema.upgrade(database)
