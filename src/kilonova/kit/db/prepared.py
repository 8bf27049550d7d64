"""Statements put together once and handed to the driver.

SQLAlchemy makes their text, turns values into the database's and rows' values back. Its own way of executing costs more
processor time than a small statement takes in the database, and is left out.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import Select

from kilonova.kit.db.rows import Row

SENT = "kilonova_sent"
"""Execution option: a callable that is told the text of each statement."""
_Turn = Callable[[Any], Any]


class Prepared:
    """A SELECT, UPDATE or DELETE whose values are all ``bindparam`` or SQL. Make it once; thread safe."""

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self.statement = statement

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Row]:
        """The rows of a SELECT. Raises DBAPIError, as all that follow."""
        form = _form(self.statement, connection.dialect)
        return [dict(zip(form.names, found, strict=True)) for found in form.fetched(connection, values)]

    def one(self, connection: Connection, values: Mapping[str, Any]) -> Row | None:
        """The only row, of a SELECT that finds by a unique key; None without one."""
        form = _form(self.statement, connection.dialect)
        found = form.fetched(connection, values)
        return dict(zip(form.names, found[0], strict=True)) if found else None

    def value(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first column of the first row; None without one."""
        found = _form(self.statement, connection.dialect).fetched(connection, values)
        return found[0][0] if found else None

    def change(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """How many rows an UPDATE or DELETE found."""
        return _form(self.statement, connection.dialect).changed(connection, values)


class _Form:
    """A statement as one driver takes it."""

    def __init__(self, statement: Select[Any] | UpdateBase, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._order = compiled.positiontup
        self._given = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        turns = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._into = {name: turn for name, turn in turns.items() if turn is not None}
        columns = list(statement.selected_columns) if isinstance(statement, Select) else []
        self.names = [str(column.key) for column in columns]
        self._types = [column.type.dialect_impl(dialect) for column in columns]
        self._dialect = dialect
        self._back: Sequence[tuple[int, _Turn]] | None = None

    def fetched(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        cursor = self._execute(connection, values)
        try:
            found = cursor.fetchall()
            back = self._back
            if back is None:
                back = self._back = self._turns(cursor.description)
        finally:
            cursor.close()
        return [_turned(row, back) for row in found] if back else found

    def changed(self, connection: Connection, values: Mapping[str, Any]) -> int:
        cursor = self._execute(connection, values)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def _turns(self, description: Sequence[Sequence[Any]]) -> Sequence[tuple[int, _Turn]]:
        """Columns whose values the driver does not give as their type has them."""
        made = (
            kind.result_processor(self._dialect, told[1]) for kind, told in zip(self._types, description, strict=True)
        )
        return [(place, turn) for place, turn in enumerate(made) if turn is not None]

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        known = {**self._given, **values}
        for name, turn in self._into.items():
            known[name] = turn(known[name])
        cursor = connection.connection.cursor()
        sent = connection.get_execution_options().get(SENT)
        if sent is not None:
            sent(self.text)
        try:
            cursor.execute(self.text, known if self._order is None else [known[name] for name in self._order])
        except self._dialect.loaded_dbapi.Error as error:
            cursor.close()
            if self._dialect.is_disconnect(error, connection.connection, cursor):
                connection.invalidate(error)
            raise wrapped(connection, self.text, error) from error
        return cursor


@functools.lru_cache(maxsize=2000)
def _form(statement: Select[Any] | UpdateBase, dialect: Dialect) -> _Form:
    return _Form(statement, dialect)


def _turned(row: Sequence[Any], turns: Sequence[tuple[int, _Turn]]) -> Sequence[Any]:
    values = list(row)
    for place, turn in turns:
        values[place] = turn(values[place])
    return values


def wrapped(connection: Connection, text: str, error: Exception) -> BaseException:
    """A driver's error as SQLAlchemy would raise it."""
    dialect = connection.dialect
    return DBAPIError.instance(
        text, None, error, dialect.loaded_dbapi.Error, connection_invalidated=connection.invalidated, dialect=dialect
    )
