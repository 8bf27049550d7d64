"""Rows of one table by id: the part of the identity store that is the same for every noun."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Conflict, NotFound

Row = dict[str, Any]


class RecordNotFound(NotFound):
    """No such row."""

    template = "Could not find {noun}: {key}."


class DuplicateRecord(Conflict):
    """A name or id that must be unique is taken."""

    template = "Conflict occurred attempting to store {noun} - Duplicate entry found with name or id {key}."


class Rows:
    """The rows of ``table``; ``noun`` is the API's word for one of them."""

    def __init__(self, database: Database, table: sa.Table, noun: str) -> None:
        self._database = database
        self._table = table
        self._noun = noun
        self.columns = frozenset(column.name for column in table.columns)

    def get(self, key: str) -> Row:
        """One row. Raises RecordNotFound."""
        row = self.first(id=key)
        if row is None:
            raise RecordNotFound(noun=self._noun, key=key)
        return row

    def first(self, **equal: Any) -> Row | None:
        """The first row with these values."""
        rows = self.find(equal)
        return rows[0] if rows else None

    def find(self, equal: Mapping[str, Any]) -> list[Row]:
        """All rows with these values, by name where there is one."""
        order = self._table.c.name if "name" in self.columns else self._table.c.id
        query = sa.select(self._table).order_by(order)
        for name, value in equal.items():
            query = query.where(self._table.c[name] == value)
        return self._all(query)

    def some(self, keys: Iterable[str]) -> list[Row]:
        """The rows with these ids, by name."""
        order = self._table.c.name if "name" in self.columns else self._table.c.id
        return self._all(sa.select(self._table).where(self._table.c.id.in_(sorted(set(keys)))).order_by(order))

    def _all(self, query: sa.Select[Any]) -> list[Row]:
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def add(self, values: Row) -> Row:
        """Insert and read back. Raises DuplicateRecord."""
        with self._unique(values), self._database.write() as connection:
            connection.execute(self._table.insert().values(**values))
        return self.get(values["id"])

    def change(self, key: str, values: Row) -> Row:
        """Update and read back. Raises RecordNotFound, DuplicateRecord."""
        if values:
            with self._unique(values), self._database.write() as connection:
                connection.execute(self._table.update().where(self._table.c.id == key).values(**values))
        return self.get(key)

    def remove(self, key: str) -> None:
        """Delete; what hangs on the row goes with it. Raises RecordNotFound."""
        with self._database.write() as connection:
            done = connection.execute(self._table.delete().where(self._table.c.id == key))
        if not done.rowcount:
            raise RecordNotFound(noun=self._noun, key=key)

    @contextlib.contextmanager
    def _unique(self, values: Row) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise DuplicateRecord(noun=self._noun, key=values.get("name") or values.get("id")) from error
