"""Server rows of a cell: one wide row a server, read in one query."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row, rows
from kilonova.kit.db.types import holds
from kilonova.store.cell_tables import block_devices, server_passwords, servers, services

_C = servers.c
HEAVY = frozenset({"user_data", "networks", "network_info", "personality", "key_data"})
"""Columns that a view leaves out unless it shows them."""
HEAVY_USER_DATA = _C.user_data
"""The one heavy column that administrators' lists show."""
LIGHT = tuple(column for column in servers.columns if column.name not in HEAVY)
NARROW = (_C.uuid, _C.revision, _C.host)
"""Enough to tell whether a document made from the row is still true."""
BRIEF = (_C.uuid, _C.name)
_ONE = sa.select(servers).where(_C.uuid == sa.bindparam("wanted"))
_ONE_LIVING = _ONE.where(_C.deleted == 0)
_S = services.c
_WITH_SERVICE = (
    sa.select(
        servers,
        _S.disabled.label("service_disabled"),
        _S.forced_down.label("service_forced_down"),
        _S.last_seen.label("service_last_seen"),
    )
    .select_from(servers.outerjoin(services, sa.and_(_S.host == _C.host, _S.binary == "nova-compute")))
    .where(_C.uuid == sa.bindparam("wanted"))
)
_LIVING_WITH_SERVICE = _WITH_SERVICE.where(_C.deleted == 0)


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Write new servers in one statement."""
    connection.execute(servers.insert(), [dict(row) for row in rows])


def get(connection: Connection, uuid: str, *, deleted: bool = False) -> Row | None:
    """A server by UUID; deleted ones only when asked for."""
    return row(connection, _ONE if deleted else _ONE_LIVING, {"wanted": uuid})


def get_with_service(connection: Connection, uuid: str, *, deleted: bool = False) -> Row | None:
    """A server and the state of its host's compute service (``service_…``, None without a host)."""
    return row(connection, _WITH_SERVICE if deleted else _LIVING_WITH_SERVICE, {"wanted": uuid})


def get_many(connection: Connection, uuids: Collection[str], columns: Sequence[Any] = ()) -> list[Row]:
    """Those of the servers that exist, deleted ones too."""
    return rows(connection, sa.select(*(columns or servers.columns)).where(_C.uuid.in_(uuids)))


def update(connection: Connection, uuid: str, values: Row, *expected: Any) -> bool:
    """Change a living server if the ``expected`` conditions hold; False when they did not."""
    conditions = (_C.uuid == uuid, _C.deleted == 0, *expected)
    statement = servers.update().where(*conditions).values(**values, revision=_C.revision + 1)
    return bool(connection.execute(statement).rowcount)


def idle() -> Any:
    """Condition: no task is under way."""
    return _C.task_state.is_(None)


def metadata_is(text: str) -> Any:
    """Condition: nobody changed the metadata since it was read."""
    return _C.metadata == text


def tags_are(text: str) -> Any:
    """Condition: nobody changed the tags since they were read."""
    return _C.tags == text


def begin_task(connection: Connection, seen: Row, task_state: str | None, now: str, values: Row | None = None) -> bool:
    """Set the task state if the server's states are still those of ``seen``: the compare-and-swap of every accept."""
    tasks = _C.task_state.is_(None) if seen["task_state"] is None else _C.task_state == seen["task_state"]
    changes = {"task_state": task_state, "updated_at": now, **(values or {})}
    return update(connection, seen["uuid"], changes, _C.vm_state == seen["vm_state"], tasks)


def mark_deleted(connection: Connection, uuid: str, now: str) -> None:
    """The server is gone; its row stays readable until it is purged."""
    values = {
        "deleted": _C.id,
        "deleted_at": now,
        "terminated_at": now,
        "updated_at": now,
        "vm_state": "deleted",
        "task_state": None,
        "power_state": 0,
    }
    living = servers.update().where(_C.uuid == uuid, _C.deleted == 0)
    connection.execute(living.values(**values, revision=_C.revision + 1))


def on_host(connection: Connection, host: str) -> list[Row]:
    """Living servers of a host."""
    query = sa.select(servers).where(_C.host == host, _C.deleted == 0)
    return rows(connection, query)


def with_address(connection: Connection, address: str) -> list[Row]:
    """Living servers that have the fixed or floating address; looks at every server of the cell."""
    bordered = sa.literal(" ") + _C.ips + " "
    return rows(connection, sa.select(servers).where(_C.deleted == 0, holds(bordered, f" {address} ")))


def hosts_of(connection: Connection, uuids: Collection[str]) -> dict[str, str]:
    """Server UUID → host, for those living servers that have one."""
    if not uuids:
        return {}
    query = sa.select(_C.uuid, _C.host).where(_C.uuid.in_(uuids), _C.deleted == 0, _C.host.is_not(None))
    return {r.uuid: r.host for r in connection.execute(query)}


def existing(connection: Connection, uuids: Collection[str]) -> set[str]:
    """Which of the UUIDs have a row, deleted or not."""
    return set(connection.scalars(sa.select(_C.uuid).where(_C.uuid.in_(uuids))))


def busy_by_host(connection: Connection) -> dict[str, int]:
    """How many servers with a task under way each host has."""
    query = (
        sa.select(_C.host, sa.func.count())
        .where(_C.task_state.is_not(None), _C.deleted == 0, _C.host.is_not(None))
        .group_by(_C.host)
    )
    return {r[0]: r[1] for r in connection.execute(query)}


def purge(connection: Connection, before: str, limit: int = 500) -> list[str]:
    """Forget servers deleted before a moment; returns their UUIDs."""
    query = sa.select(_C.uuid).where(_C.deleted != 0, _C.deleted_at < before).limit(limit)
    uuids = list(connection.scalars(query))
    if uuids:
        connection.execute(server_passwords.delete().where(server_passwords.c.server_uuid.in_(uuids)))
        connection.execute(block_devices.delete().where(block_devices.c.server_uuid.in_(uuids)))
        connection.execute(servers.delete().where(_C.uuid.in_(uuids)))
    return uuids
