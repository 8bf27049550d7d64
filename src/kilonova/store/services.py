"""Records of services; each cell has those of its hosts."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.cell_tables import compute_nodes, servers, services

_S = services.c


def page(
    connection: Connection, *, host: str | None = None, binary: str | None = None, disabled: bool | None = None
) -> list[Row]:
    """All services, or those of a host, of a kind, enabled or disabled."""
    query = sa.select(services).order_by(_S.id)
    if host is not None:
        query = query.where(_S.host == host)
    if binary is not None:
        query = query.where(_S.binary == binary)
    if disabled is not None:
        query = query.where(_S.disabled == disabled)
    return rows(connection, query)


def by_uuid(connection: Connection, uuid: str) -> Row | None:
    """One service."""
    return row(connection, sa.select(services).where(_S.uuid == uuid))


def by_id(connection: Connection, ident: int) -> Row | None:
    """One service by its number, which is only unique in its cell."""
    return row(connection, sa.select(services).where(_S.id == ident))


def update(connection: Connection, uuid: str, values: Mapping[str, Any]) -> None:
    """Change columns."""
    connection.execute(services.update().where(_S.uuid == uuid).values(**values))


def delete(connection: Connection, found: Row, *, with_nodes: bool) -> None:
    """Remove the record, and its host's compute nodes."""
    if with_nodes:
        connection.execute(compute_nodes.delete().where(compute_nodes.c.host == found["host"]))
    connection.execute(services.delete().where(_S.uuid == found["uuid"]))


def hosted(connection: Connection, hosts: Collection[str]) -> int:
    """How many living servers these hosts carry."""
    query = sa.select(sa.func.count()).select_from(servers).where(servers.c.host.in_(hosts), servers.c.deleted == 0)
    return int(connection.scalar(query) or 0)
