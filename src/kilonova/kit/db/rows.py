"""Results as mappings, typed."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import Executable

Row = Mapping[str, Any]


def rows(connection: Connection, query: Executable) -> list[Row]:
    """All rows of a select."""
    return cast("list[Row]", list(connection.execute(query).mappings()))


def row(connection: Connection, query: Executable, parameters: Row | None = None) -> Row | None:
    """The one row of a select, or None."""
    return cast("Row | None", connection.execute(query, parameters).mappings().one_or_none())
