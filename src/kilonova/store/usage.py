"""What servers, living and deleted, used in a stretch of time."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.kit.db.rows import Row, put, row, rows
from kilonova.store.cell_tables import servers, task_log, volume_usage

_C = servers.c
_T = task_log.c
RUNNING, DONE = "RUNNING", "DONE"
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


def on_host(connection: Connection, host: str, start: str, end: str) -> list[Row]:
    """The servers of a host that ran between the two moments."""
    return rows(connection, sa.select(servers).where(*_within(start, end), _C.host == host))


def begin_audit(connection: Connection, key: Row, now: str, stale: str) -> bool:
    """Note that the usage of ``key`` (host and period) is being told; False when it was told, or is since ``stale``."""
    known = row(connection, sa.select(_T.state, _T.updated_at).where(*[_T[name] == key[name] for name in key]))
    if known is not None and (known["state"] == DONE or known["updated_at"] > stale):
        return False
    empty = {"instances": 0, "errors": 0, "message": "", "updated_at": now}
    put(connection, task_log, key, {"state": RUNNING, **empty})
    return True


def end_audit(connection: Connection, key: Row, values: Row) -> None:
    """Note that it was told."""
    connection.execute(task_log.update().where(*[_T[name] == key[name] for name in key]).values(state=DONE, **values))


def audits(connection: Connection, begin: str, end: str) -> list[Row]:
    """What is noted of a period, host by host."""
    return rows(connection, sa.select(task_log).where(_T.period_beginning == begin, _T.period_ending == end))


def count_volume(connection: Connection, key: Row, counters: Mapping[str, int], now: str, *, last: bool) -> Row:
    """Take up a guest's counters of a volume (``key``), ``last`` before it is detached; the sums of all its runs.

    A guest that was started anew counts from zero, which shows in counters that are less than they were.
    """
    found = row(connection, sa.select(volume_usage).where(*[volume_usage.c[name] == key[name] for name in key]))
    before: dict[str, int] = codec.loads(found["before"]) if found else {}
    seen: dict[str, int] = codec.loads(found["now"]) if found else {}
    if any(value < seen.get(name, 0) for name, value in counters.items()):
        before = {name: before.get(name, 0) + seen.get(name, 0) for name in counters}
    sums = {name: before.get(name, 0) + value for name, value in counters.items()}
    kept = {"before": codec.text(sums if last else before), "now": codec.text({} if last else counters)}
    put(connection, volume_usage, key, {**kept, "updated_at": now})
    return sums
