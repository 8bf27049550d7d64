"""What must hold in the database after an upgrade or an import."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.placement.store import tables as t


def rootless_providers(connection: Connection) -> int:
    """Providers that do not know the root of their tree."""
    return _count(connection, sa.select(t.providers.c.id).where(t.providers.c.root_id.is_(None)))


def ownerless_allocations(connection: Connection) -> int:
    """Allocations whose consumer has no record."""
    known = sa.exists().where(t.consumers.c.id == t.allocations.c.consumer_id)
    return _count(connection, sa.select(t.allocations.c.consumer_id).where(~known))


def _count(connection: Connection, query: sa.Select[tuple[int]]) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0)
