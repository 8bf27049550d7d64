"""Column types and expressions that mean the same on SQLite, MariaDB/MySQL and PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


def _bytewise(kind: type[sa.String], postgresql: sa.String, mysql_form: sa.String) -> sa.String:
    """A text that compares and sorts byte by byte everywhere, whatever a server's defaults are.

    MySQL's would take ``A`` for ``a``; PostgreSQL's may sort by a language, so that pages would differ.
    """
    plain = kind() if postgresql.length is None else kind(postgresql.length)
    return plain.with_variant(mysql_form, "mysql").with_variant(postgresql, "postgresql")


def word(length: int) -> sa.String:
    """An id or one of our own words: ASCII of at most ``length`` characters."""
    mysql_form = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return _bytewise(sa.String, sa.String(length, collation="C"), mysql_form)


Name = _bytewise(
    sa.String, sa.String(255, collation="C"), mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin")
)
"""A name or somebody else's id, of any characters."""

Uuid = word(36)

JsonText = _bytewise(sa.Text, sa.Text(collation="C"), mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"))
"""JSON as text: stored fragments go into replies unparsed."""

LongText = JsonText

Stamp = word(26)
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


class matching(GenericFunction[bool]):  # noqa: N801  # SQL functions are lower case
    """Does a text match a regular expression, case and all? PostgreSQL's "C" knows no letters beyond ASCII."""

    type = sa.Boolean()
    inherit_cache = True
    name = "matching"


@compiles(matching)
def _regexp(element: Any, compiler: Any, **options: Any) -> str:
    text, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({text} REGEXP {pattern})"


@compiles(matching, "postgresql")
def _tilde(element: Any, compiler: Any, **options: Any) -> str:
    text, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f'(({text}) COLLATE "default" ~ ({pattern}))'


def holds(column: Any, literal: str) -> Any:
    """``literal`` occurs in the text of ``column``."""
    return position(column, literal) > 0
