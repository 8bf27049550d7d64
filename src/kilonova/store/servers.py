"""Server rows of a cell: one wide row a server, read in one query."""

import functools
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.later import later
from kilonova.kit.db.prepared import Prepared
from kilonova.kit.db.rows import Row, prefixed, row, rows, settings
from kilonova.kit.db.types import holds
from kilonova.store.cell_tables import (
    block_devices,
    migrations,
    server_passwords,
    servers,
    services,
    shares,
    volume_usage,
)

_C = servers.c
HEAVY = frozenset({"user_data", "networks", "network_info", "personality", "key_data"})
"""Columns that a view leaves out unless it shows them."""
HEAVY_USER_DATA = _C.user_data
"""The one heavy column that administrators' lists show."""
LIGHT = tuple(column for column in servers.columns if column.name not in HEAVY)
NARROW = (_C.uuid, _C.revision, _C.host)
"""Enough to tell whether a document made from the row is still true."""
BRIEF = (_C.uuid, _C.name)
_INSERT = servers.insert()
_NAMED = sa.select(servers).where(_C.uuid == sa.bindparam("wanted"))
_ONE = Prepared(_NAMED)
_ONE_LIVING = Prepared(_NAMED.where(_C.deleted == 0))
_REVISION = Prepared(sa.select(_C.revision).where(_C.uuid == sa.bindparam("wanted"), _C.deleted == 0))
_S = services.c
_WITH_SERVICE = (
    sa.select(
        *LIGHT,
        HEAVY_USER_DATA,
        _S.disabled.label("service_disabled"),
        _S.forced_down.label("service_forced_down"),
        _S.last_seen.label("service_last_seen"),
    )
    .select_from(servers.outerjoin(services, sa.and_(_S.host == _C.host, _S.binary == "nova-compute")))
    .where(_C.uuid == sa.bindparam("wanted"))
)
_LIVING_WITH_SERVICE = _WITH_SERVICE.where(_C.deleted == 0)
_OUTLINE = Prepared(
    _LIVING_WITH_SERVICE.with_only_columns(
        *(_C[name] for name in ("uuid", "revision", "host", "project_id", "user_id", "hints")),
        *(column for column in _LIVING_WITH_SERVICE.selected_columns if column.name.startswith("service_")),
        maintain_column_froms=True,
    )
)
_MOMENT = sa.bindparam("moment", type_=_C.updated_at.type)
_MARK_DELETED = Prepared(
    servers.update()
    .where(_C.uuid == sa.bindparam("wanted"), _C.deleted == 0)
    .values(
        deleted=_C.id,
        deleted_at=_MOMENT,
        terminated_at=_MOMENT,
        updated_at=_MOMENT,
        vm_state="deleted",
        task_state=None,
        power_state=0,
        revision=_C.revision + 1,
    )
)
_BUSY = (
    sa.select(_C.host, sa.func.count())
    .where(_C.task_state.is_not(None), _C.deleted == 0, _C.host.is_not(None))
    .group_by(_C.host)
)


def insert(connection: Connection, rows: Sequence[Row], *, last: bool = False) -> None:
    """Write new servers in one statement. ``last``: all that the transaction writes afterwards is ``last``, too."""
    # What no row has is left to the database: each parameter costs two microseconds.
    names = tuple(name for name in rows[0] if any(row[name] is not None for row in rows))
    found = [{name: row[name] for name in names} for row in rows]
    if last and len(found) == 1:
        later(connection, _INSERT, found[0])
    else:
        connection.execute(_INSERT, found)


def get(connection: Connection, uuid: str, *, deleted: bool = False) -> Row | None:
    """A server by UUID; deleted ones only when asked for."""
    return (_ONE if deleted else _ONE_LIVING).one(connection, {"wanted": uuid})


def revision(connection: Connection, uuid: str) -> int | None:
    """Grows with every change of a living server's row."""
    found: int | None = _REVISION.value(connection, {"wanted": uuid})
    return found


def get_with_service(connection: Connection, uuid: str, *, deleted: bool = False) -> Row | None:
    """What a server's document needs, and the state of its host's compute service (``service_…``, None without one)."""
    return row(connection, _WITH_SERVICE if deleted else _LIVING_WITH_SERVICE, {"wanted": uuid})


def outline(connection: Connection, uuid: str, *, deleted: bool = False) -> Row | None:
    """Whose a living server is, and what tells whether a document of it is still true."""
    del deleted
    return _OUTLINE.one(connection, {"wanted": uuid})


def get_many(connection: Connection, uuids: Collection[str], columns: Sequence[Any] = ()) -> list[Row]:
    """Those of the servers that exist, deleted ones too."""
    return rows(connection, sa.select(*(columns or servers.columns)).where(_C.uuid.in_(uuids)))


def update(connection: Connection, uuid: str, values: Row, *expected: Any) -> bool:
    """Change a living server if the ``expected`` conditions hold; False when they did not."""
    parameters = {"wanted": uuid, **prefixed(values)}
    if not expected:
        return bool(_changing(tuple(values)).change(connection, parameters))
    return bool(connection.execute(_change(tuple(values)).where(*expected), parameters).rowcount)


@functools.cache
def _change(names: tuple[str, ...]) -> sa.Update:
    """The statement that sets these columns; there are as many as there are verbs."""
    living = servers.update().where(_C.uuid == sa.bindparam("wanted"), _C.deleted == 0)
    return living.values(**settings(_C, names), revision=_C.revision + 1)


@functools.cache
def _changing(names: tuple[str, ...]) -> Prepared:
    return Prepared(_change(names))


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
    changes = {"task_state": task_state, "updated_at": now, **(values or {})}
    idle_before = seen["task_state"] is None
    parameters = {"wanted": seen["uuid"], "seen_state": seen["vm_state"], **prefixed(changes)}
    if not idle_before:
        parameters["seen_task"] = seen["task_state"]
    return bool(_beginning(tuple(changes), idle=idle_before).change(connection, parameters))


@functools.cache
def _beginning(names: tuple[str, ...], *, idle: bool) -> Prepared:
    """``_change`` while the states are those that were seen."""
    task = _C.task_state.is_(None) if idle else _C.task_state == sa.bindparam("seen_task", type_=_C.task_state.type)
    seen = _C.vm_state == sa.bindparam("seen_state", type_=_C.vm_state.type)
    return Prepared(_change(names).where(seen, task))


def mark_deleted(connection: Connection, uuid: str, now: str) -> None:
    """The server is gone; its row stays readable until it is purged."""
    _MARK_DELETED.change(connection, {"wanted": uuid, "moment": now})


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
    return {r[0]: r[1] for r in connection.execute(_BUSY)}


def count_by_host(connection: Connection) -> dict[str, int]:
    """How many living servers each host has."""
    query = sa.select(_C.host, sa.func.count()).where(_C.deleted == 0, _C.host.is_not(None)).group_by(_C.host)
    return {r[0]: r[1] for r in connection.execute(query)}


def images_by_host(connection: Connection) -> list[tuple[str, str, int]]:
    """Host, an image as rows keep it, and how many living servers there are made of it."""
    here = (_C.deleted == 0, _C.host.is_not(None), _C.image.is_not(None))
    query = sa.select(_C.host, sa.func.max(_C.image), sa.func.count()).where(*here).group_by(_C.host, _C.image_ref)
    return [(r[0], r[1], r[2]) for r in connection.execute(query)]


def purge(connection: Connection, uuids: Sequence[str]) -> None:
    """Forget servers and what hangs on them; their operations are ``operations.purge``'s."""
    for table in (server_passwords, block_devices, shares, migrations, volume_usage):
        connection.execute(table.delete().where(table.c.server_uuid.in_(uuids)))
    connection.execute(servers.delete().where(_C.uuid.in_(uuids)))
