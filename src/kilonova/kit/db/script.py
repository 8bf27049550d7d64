"""A transaction as one message: to MariaDB and MySQL a round trip costs as much as a small statement.

The message ends with COMMIT, so each statement that could do less than it should is followed by a check, which fails
the rest. Other databases get the statements one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.dml import UpdateBase

from kilonova.kit.db.prepared import wrapped

NEW_ID = sa.bindparam("new_id", type_=sa.BigInteger)
"""In a later line: the key that the first line's INSERT made."""
_CHECK = "SET @checked = IF(ROW_COUNT() = {rows}, 1, (SELECT 1 UNION ALL SELECT 2))"
_CHECK_FAILED = 1242
"""Subquery returns more than 1 row."""


class Unmet(Exception):
    """A statement found more or fewer rows than it must; nothing was changed."""


@dataclass(frozen=True)
class Line:
    """A statement whose values are all ``bindparam`` or SQL; ``rows`` that it must change, None: any number."""

    statement: UpdateBase
    rows: int | None = None


class Script:
    """Lines that take effect together or not at all. Make it once and play it often; see ``Database.play``.

    Parameters are shared by name among the lines and go to the driver as they are.
    """

    def __init__(self, *lines: Line) -> None:
        self.lines = lines
        self._names = [frozenset(line.statement.compile().binds) for line in lines]
        self._text: str | None = None

    def step_through(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """One by one, in the caller's transaction. Raises Unmet, which is to roll it back."""
        known = dict(parameters)
        for line, names in zip(self.lines, self._names, strict=True):
            done = connection.execute(line.statement, {k: v for k, v in known.items() if k in names})
            if line.rows not in (None, done.rowcount):
                raise Unmet
            if NEW_ID.key not in known:
                known[NEW_ID.key] = done.inserted_primary_key[0]  # type: ignore[index]  # the first line is an INSERT

    def send(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """All at once, over a connection of MariaDB or MySQL without a transaction. Raises Unmet, DBAPIError."""
        dialect, pooled = connection.dialect, connection.connection
        text = self._text or self._put_together(dialect)
        cursor = pooled.cursor()
        try:
            cursor.execute(text, parameters)
            while cursor.nextset():
                pass
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, pooled, cursor):
                connection.invalidate(error)
            else:
                pooled.rollback()
            if error.args and error.args[0] == _CHECK_FAILED:
                raise Unmet from error
            raise wrapped(connection, text, error) from error
        finally:
            cursor.close()

    def _put_together(self, dialect: Dialect) -> str:
        kind: Any = type(dialect)
        named = kind(paramstyle="pyformat")
        parts: list[str] = []
        for line in self.lines:
            parts.append(str(line.statement.compile(dialect=named)))
            if line.rows is not None:
                parts.append(_CHECK.format(rows=line.rows))
        text = "; ".join([*parts, "COMMIT"])
        self._text = text.replace(f"%({NEW_ID.key})s", "LAST_INSERT_ID()")
        return self._text
