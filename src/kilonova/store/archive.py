"""Deleted servers out of the way: their rows go into one document each, which can be purged later."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.kit.db.rows import rows
from kilonova.store import api_tables, operations, server_mappings
from kilonova.store import servers as server_rows
from kilonova.store.cell_tables import (
    archived_servers,
    block_devices,
    console_tokens,
    migrations,
    server_passwords,
    servers,
    shares,
    steps,
    volume_usage,
)
from kilonova.store.cell_tables import operations as operation_rows

_C = servers.c
_A = archived_servers.c
_OF_SERVER = (block_devices, console_tokens, migrations, operation_rows, server_passwords, shares, volume_usage)
_OPEN = sa.select(operation_rows.c.server_uuid).where(
    operation_rows.c.server_uuid == _C.uuid, operation_rows.c.finished_at.is_(None)
)


def due(connection: Connection, before: str | None, limit: int) -> list[str]:
    """UUIDs of servers deleted (before a moment) with nothing under way, the longest deleted first."""
    query = sa.select(_C.uuid).where(_C.deleted != 0, ~_OPEN.exists()).order_by(_C.deleted_at).limit(limit)
    return list(connection.scalars(query if before is None else query.where(_C.deleted_at < before)))


def archive(connection: Connection, uuids: Sequence[str], now: str) -> Mapping[str, int]:
    """Move these deleted servers; table → rows of it."""
    kept: dict[str, dict[str, list[Any]]] = {uuid: {} for uuid in uuids}
    moved: Counter[str] = Counter()

    def keep(table: sa.Table, found: Collection[Any], owner: Any) -> None:
        moved.update({table.name: len(found)})
        for row in found:
            kept[owner(row)].setdefault(table.name, []).append(dict(row))

    gone = rows(connection, sa.select(servers).where(_C.uuid.in_(uuids)))
    keep(servers, gone, lambda row: row["uuid"])
    owners: dict[str, str] = {}
    for table in _OF_SERVER:
        found = rows(connection, sa.select(table).where(table.c.server_uuid.in_(uuids)))
        keep(table, found, lambda row: row["server_uuid"])
        if table is operation_rows:
            owners = {row["id"]: row["server_uuid"] for row in found}
    keep(steps, operations.steps_of(connection, list(owners)), lambda row: owners[row["operation_id"]])
    deleted_at = {row["uuid"]: row["deleted_at"] for row in gone}
    if gone:
        connection.execute(
            archived_servers.insert(),
            [
                {"server_uuid": uuid, "deleted_at": deleted_at[uuid], "archived_at": now, "rows": _text(kept[uuid])}
                for uuid in deleted_at
            ],
        )
    operations.purge(connection, uuids)
    connection.execute(console_tokens.delete().where(console_tokens.c.server_uuid.in_(uuids)))
    server_rows.purge(connection, uuids)
    return {name: number for name, number in moved.items() if number}


def _text(document: Mapping[str, Any]) -> str:
    return codec.dumps(document).decode()


def purge(connection: Connection, before: str | None) -> int:
    """Forget archived servers, those deleted before a moment or all; how many."""
    query = archived_servers.delete()
    return connection.execute(query if before is None else query.where(_A.deleted_at < before)).rowcount


def is_archived(connection: Connection, uuid: str) -> bool:
    """Whether a server of this cell was archived and not yet purged."""
    return connection.scalar(sa.select(_A.id).where(_A.server_uuid == uuid)) is not None


def forget_mappings(api: Connection, uuids: Sequence[str]) -> Mapping[str, int]:
    """What the API database has of servers that are archived; table → rows."""
    members, mapped = api_tables.server_group_members, api_tables.server_mappings
    mine = mapped.c.uuid.in_(uuids)
    for uuid in api.scalars(sa.select(mapped.c.uuid).where(mine, mapped.c.counted.is_(sa.true()))).all():
        server_mappings.release(api, uuid)
    gone = {
        members.name: api.execute(members.delete().where(members.c.server_uuid.in_(uuids))).rowcount,
        mapped.name: api.execute(mapped.delete().where(mine)).rowcount,
    }
    return {name: number for name, number in gone.items() if number}
