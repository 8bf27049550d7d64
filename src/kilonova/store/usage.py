"""What servers, living and deleted, used in a stretch of time."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, rows
from kilonova.store.cell_tables import servers

_C = servers.c
_COLUMNS = (
    _C.uuid,
    _C.project_id,
    _C.name,
    _C.flavor,
    _C.vcpus,
    _C.memory_mb,
    _C.vm_state,
    _C.launched_at,
    _C.terminated_at,
)


def _within(start: str, end: str) -> Sequence[sa.ColumnElement[bool]]:
    return (_C.launched_at < end, sa.or_(_C.terminated_at.is_(None), _C.terminated_at >= start))


def page(
    connection: Connection,
    start: str,
    end: str,
    *,
    project_id: str | None = None,
    limit: int | None = None,
    after: tuple[str, str] | None = None,
) -> list[Row]:
    """Servers that ran between the two moments, by project and UUID, behind ``after`` (project, UUID)."""
    query = sa.select(*_COLUMNS).where(*_within(start, end)).order_by(_C.project_id, _C.uuid)
    if project_id is not None:
        query = query.where(_C.project_id == project_id)
    if after is not None:
        project, uuid = after
        later = sa.or_(_C.project_id > project, sa.and_(_C.project_id == project, _C.uuid > uuid))
        query = query.where(later)
    return rows(connection, query if limit is None else query.limit(limit))


def project_of(connection: Connection, uuid: str) -> str | None:
    """Whose server it is or was."""
    found: str | None = connection.scalar(sa.select(_C.project_id).where(_C.uuid == uuid))
    return found


def by_host(connection: Connection, start: str, end: str) -> dict[str, int]:
    """Host → how many servers ran there between the two moments."""
    query = sa.select(_C.host, sa.func.count()).where(*_within(start, end), _C.host.is_not(None)).group_by(_C.host)
    return {host: int(count) for host, count in connection.execute(query)}
