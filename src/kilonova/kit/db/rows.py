"""Results as mappings, typed."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.expression import Executable

Row = Mapping[str, Any]


def rows(connection: Connection, query: Executable, parameters: Row | None = None) -> list[Row]:
    """All rows of a select."""
    return cast("list[Row]", list(connection.execute(query, parameters).mappings()))


def row(connection: Connection, query: Executable, parameters: Row | None = None) -> Row | None:
    """The one row of a select, or None."""
    return cast("Row | None", connection.execute(query, parameters).mappings().one_or_none())


def settings(columns: Any, names: Iterable[str]) -> dict[str, sa.BindParameter[Any]]:
    """For ``values()`` of a statement that is put together once: column → parameter, to go with ``prefixed``."""
    return {name: sa.bindparam(f"to_{name}", type_=columns[name].type) for name in names}


def prefixed(values: Row) -> dict[str, Any]:
    """Values as the parameters of ``settings``."""
    return {f"to_{name}": value for name, value in values.items()}


def put(connection: Connection, table: sa.Table, key: Row, values: Row, first: Row | None = None) -> bool:
    """Give the row with this unique key these values, making it if need be, with ``first`` besides; True when it was.

    Others may do the same at the same moment.
    """
    change = table.update().where(*[table.c[name] == value for name, value in key.items()]).values(**values)
    if connection.execute(change).rowcount:
        return False
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(**{**key, **values, **(first or {})}))
    except IntegrityError:
        if not connection.execute(change).rowcount:
            raise  # it was not the key that clashed
        return False
    return True
