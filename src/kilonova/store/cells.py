"""Which databases there are: the API database, and one for each cell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.kit.db.migrate import Schema
from kilonova.kit.errors import NotFound
from kilonova.store import api_tables, cell_tables

CELL0 = "00000000-0000-0000-0000-000000000000"
API_SCHEMA = Schema(Path(__file__).parent / "migrations" / "api", api_tables.metadata)
CELL_SCHEMA = Schema(Path(__file__).parent / "migrations" / "cell", cell_tables.metadata)


class CellNotFound(NotFound):
    """No cell mapping has this id or UUID."""

    template = "Cell {cell} could not be found."


@dataclass(frozen=True)
class Cell:
    """A cell's handle: a unit of work on its data is opened here."""

    id: int
    uuid: str
    name: str
    database: Database

    @property
    def is_cell0(self) -> bool:
        """Holds what never got a host."""
        return self.uuid == CELL0


@dataclass
class Store:
    """All databases of the deployment, as this process reaches them."""

    api: Database
    cells: tuple[Cell, ...] = field(default=())

    @property
    def home(self) -> Cell:
        """Where an accepted server is written before a host is chosen: the only cell there is, else cell0.

        With one cell a server never has to move; docs/adr tells why.
        """
        real = [cell for cell in self.cells if not cell.is_cell0]
        if len(real) == 1:
            return real[0]
        return next(cell for cell in self.cells if cell.is_cell0)

    @property
    def working(self) -> tuple[Cell, ...]:
        """Cells with hosts."""
        return tuple(cell for cell in self.cells if not cell.is_cell0)

    def cell(self, cell_id: int) -> Cell:
        """By the mapping's id. Raises CellNotFound."""
        for cell in self.cells:
            if cell.id == cell_id:
                return cell
        raise CellNotFound(cell=cell_id)

    def locate(self, uuid: str) -> Cell | None:
        """The cell that a server is mapped to; None for an unknown server."""
        if len(self.cells) == 1:
            return self.cells[0]
        table = api_tables.server_mappings
        with self.api.read() as connection:
            found = connection.scalar(sa.select(table.c.cell_id).where(table.c.uuid == uuid))
        return None if found is None else self.cell(found)

    def dispose(self) -> None:
        """Close all connections."""
        for database in (self.api, *(cell.database for cell in self.cells)):
            database.dispose()


def mappings(api: Database) -> list[Mapping[str, Any]]:
    """Rows of the cells table, disabled ones too."""
    with api.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(api_tables.cells)).mappings()]


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
