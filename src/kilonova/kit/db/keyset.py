"""Keyset paging: the rows behind a marker in a lexicographic order of mixed directions."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

Order = Sequence[tuple[Any, str]]
"""(column, ``asc`` or ``desc``) pairs; the last column must be unique for the order to be total."""


def total(column: Any) -> Any:
    """A sortable form: NULL sorts first on every database, and true after false."""
    if isinstance(column.type, sa.Boolean):
        # PostgreSQL compares booleans with nothing else, and SQLAlchemy not at all by < and >.
        return sa.case((column.is_(sa.true()), 1), (column.is_(sa.false()), 0), else_=-1)
    if not column.nullable:
        return column
    return sa.func.coalesce(column, "" if isinstance(column.type, sa.String) else -1)


def ordered(query: Any, order: Order) -> Any:
    """``query`` sorted."""
    forms = [(total(column), direction) for column, direction in order]
    return query.order_by(*[form.asc() if direction == "asc" else form.desc() for form, direction in forms])


def values_of(order: Order) -> list[Any]:
    """What to select of the marker's row, to be given to ``after``."""
    return [total(column) for column, _direction in order]


def after(values: Sequence[Any], order: Order) -> Any:
    """The condition for rows behind the one with ``values``."""
    options = []
    for depth, (column, direction) in enumerate(order):
        equal = [total(c) == v for (c, _), v in zip(order[:depth], values[:depth], strict=True)]
        form = total(column)
        beyond = form > values[depth] if direction == "asc" else form < values[depth]
        options.append(sa.and_(*equal, beyond))
    return sa.or_(*options)
