"""Migration records of a cell: every move of a server, under way and past."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.domain import migration as kinds
from kilonova.kit.db import keyset
from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.cell_tables import migrations, servers

_M = migrations.c


@dataclass(frozen=True, kw_only=True)
class MoveQuery:
    """One page of a list."""

    limit: int | None = None
    equal: Mapping[str, str] | None = None
    """Column → value."""
    host: str | None = None
    """Source or destination."""
    since: str | None = None
    before: str | None = None
    marker: str | None = None
    newest_first: bool = True
    over_cells: bool = False
    """One of several cells' parts of the page: numbers say nothing then, and UUIDs make the order total."""
    after: tuple[str, str] | None = None
    """Where the marker is, in a page over several cells: its ``created_at`` and UUID."""


def insert(connection: Connection, values: Row) -> None:
    """A new record."""
    connection.execute(migrations.insert().values(**values))


def get(connection: Connection, uuid: str) -> Row | None:
    """A record by UUID."""
    return row(connection, sa.select(migrations).where(_M.uuid == uuid))


def update(connection: Connection, uuid: str, values: Row) -> None:
    """Change a record."""
    connection.execute(migrations.update().where(_M.uuid == uuid).values(**values))


def page(connection: Connection, wanted: MoveQuery) -> list[Row] | None:
    """The records; None when the marker is unknown."""
    direction = "desc" if wanted.newest_first else "asc"
    order = [(_M.created_at, direction), (_M.uuid if wanted.over_cells else _M.id, direction)]
    query = sa.select(migrations).where(*[_M[name] == value for name, value in (wanted.equal or {}).items()])
    if wanted.host is not None:
        query = query.where(sa.or_(_M.source_compute == wanted.host, _M.dest_compute == wanted.host))
    if wanted.since is not None:
        query = query.where(_M.updated_at >= wanted.since)
    if wanted.before is not None:
        query = query.where(_M.updated_at <= wanted.before)
    if wanted.after is not None:
        query = query.where(keyset.after(wanted.after, order))
    elif wanted.marker is not None:
        found = connection.execute(sa.select(*keyset.values_of(order)).where(_M.uuid == wanted.marker)).one_or_none()
        if found is None:
            return None
        query = query.where(keyset.after(list(found), order))
    return rows(connection, keyset.ordered(query, order).limit(wanted.limit))


def position(connection: Connection, marker: str) -> tuple[str, str] | None:
    """For ``MoveQuery.after``; None when the record is not in this cell."""
    found = connection.execute(sa.select(_M.created_at, _M.uuid).where(_M.uuid == marker)).one_or_none()
    return None if found is None else (found.created_at, found.uuid)


def of_server(connection: Connection, server_uuid: str, statuses: Collection[str]) -> list[Row]:
    """A server's records in these statuses, newest first."""
    query = sa.select(migrations).where(_M.server_uuid == server_uuid, _M.status.in_(statuses))
    return rows(connection, query.order_by(_M.id.desc()))


def by_number(connection: Connection, server_uuid: str, number: int) -> Row | None:
    """A server's record by its id."""
    return row(connection, sa.select(migrations).where(_M.server_uuid == server_uuid, _M.id == number))


def destinations(connection: Connection, server_uuids: Collection[str]) -> dict[str, str]:
    """Server UUID → host, for those that are on their way to one."""
    if not server_uuids:
        return {}
    moving = kinds.OPEN - {"done", "finished"}
    query = sa.select(_M.server_uuid, _M.dest_compute).where(
        _M.server_uuid.in_(server_uuids), _M.status.in_(moving), _M.dest_compute.is_not(None)
    )
    return {r.server_uuid: r.dest_compute for r in connection.execute(query)}


def kept_for(connection: Connection, host: str, server_uuids: Collection[str]) -> set[str]:
    """Which of these servers still need what the host keeps of them: they live, and there or about to come back."""
    if not server_uuids:
        return set()
    moving = sa.select(_M.server_uuid).where(_M.source_compute == host, _M.status.in_(kinds.OPEN))
    query = sa.select(servers.c.uuid).where(
        servers.c.uuid.in_(server_uuids),
        servers.c.deleted == 0,
        sa.or_(servers.c.host == host, servers.c.uuid.in_(moving)),
    )
    return set(connection.scalars(query))


def evacuated_from(connection: Connection, host: str) -> list[Row]:
    """Records of servers that were evacuated from the host and may have left something there."""
    query = sa.select(migrations).where(_M.source_compute == host, _M.kind == kinds.EVACUATION, _M.status == "done")
    return rows(connection, query)


def unconfirmed(connection: Connection, host: str, before: str) -> list[Row]:
    """Servers of a host whose move was finished before a moment and waits for a confirmation."""
    joined = servers.join(migrations, servers.c.uuid == _M.server_uuid)
    query = (
        sa.select(servers)
        .select_from(joined)
        .where(
            _M.status == "finished",
            _M.updated_at < before,
            servers.c.host == host,
            servers.c.vm_state == "resized",
            servers.c.task_state.is_(None),
            servers.c.deleted == 0,
        )
    )
    return rows(connection, query)


def progress(connection: Connection, uuid: str, counters: Row) -> Row | None:
    """Take up what a source host says of a live migration under way.

    Answers the record with its server's ``task_state`` (None when the server is gone).
    """
    connection.execute(migrations.update().where(_M.uuid == uuid, _M.status.in_(kinds.LIVE_RUNNING)).values(**counters))
    joined = migrations.outerjoin(servers, sa.and_(servers.c.uuid == _M.server_uuid, servers.c.deleted == 0))
    return row(connection, sa.select(migrations, servers.c.task_state).select_from(joined).where(_M.uuid == uuid))


def holding(connection: Connection, uuids: Collection[str], statuses: Collection[str]) -> set[str]:
    """Which of the UUIDs are migrations in one of the statuses."""
    query = sa.select(_M.uuid).where(_M.uuid.in_(uuids), _M.status.in_(statuses))
    return set(connection.scalars(query))
