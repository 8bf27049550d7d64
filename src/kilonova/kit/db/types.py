"""Column types and expressions that mean the same on SQLite, MariaDB/MySQL and PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

Name = sa.String(255).with_variant(mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")
"""A name or id, compared byte by byte."""

Uuid = sa.String(36).with_variant(mysql.VARCHAR(36, charset="ascii", collation="ascii_bin"), "mysql")

JsonText = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql")
"""JSON as text: stored fragments go into replies unparsed."""

LongText = JsonText

Stamp = sa.String(26).with_variant(mysql.VARCHAR(26, charset="ascii", collation="ascii_bin"), "mysql")
"""UTC time as ``2026-01-02T03:04:05.678901``: sorts and compares as text and needs no conversion on the way out."""

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An autoincrementing key."""


class position(GenericFunction[int]):  # noqa: N801  # SQL functions are lower case
    """Where a literal text occurs in a column, byte by byte; 0 when it does not."""

    type = sa.Integer()
    inherit_cache = True
    name = "position_of"


@compiles(position)
def _instr(element: Any, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(position, "postgresql")
def _strpos(element: Any, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def holds(column: Any, literal: str) -> Any:
    """``literal`` occurs in the text of ``column``."""
    return position(column, literal) > 0
