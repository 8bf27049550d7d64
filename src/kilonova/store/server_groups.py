"""Server groups and their members."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.api_tables import server_group_members, server_groups, server_mappings

_G = server_groups.c
_M = server_group_members.c


def get(connection: Connection, uuid: str) -> Row | None:
    """A group by UUID."""
    return row(connection, sa.select(server_groups).where(_G.uuid == uuid))


def members(connection: Connection, uuid: str) -> list[str]:
    """UUIDs of a group's servers."""
    query = sa.select(_M.server_uuid).join(server_groups, _G.id == _M.group_id).where(_G.uuid == uuid)
    return list(connection.scalars(query))


def add_members(connection: Connection, uuid: str, server_uuids: Sequence[str]) -> None:
    """Put servers into a group."""
    group = sa.select(_G.id).where(_G.uuid == uuid).scalar_subquery()
    connection.execute(
        server_group_members.insert(),
        [{"group_id": connection.scalar(sa.select(group)), "server_uuid": u} for u in server_uuids],
    )


def remove_member(connection: Connection, server_uuid: str) -> None:
    """A server is gone: it is in no group any more."""
    connection.execute(server_group_members.delete().where(_M.server_uuid == server_uuid))


def of_server(connection: Connection, server_uuid: str) -> list[str]:
    """UUIDs of the groups a server is in."""
    query = sa.select(_G.uuid).join(server_group_members, _G.id == _M.group_id).where(_M.server_uuid == server_uuid)
    return list(connection.scalars(query))


def page(connection: Connection, project_id: str | None, *, offset: int = 0, limit: int | None = None) -> list[Row]:
    """A project's groups (None: everyone's) in the order they were made."""
    query = sa.select(server_groups).order_by(_G.id)
    if project_id is not None:
        query = query.where(_G.project_id == project_id)
    if limit is not None or offset:
        query = query.limit(limit if limit is not None else _ALL).offset(offset)
    return rows(connection, query)


_ALL = 1 << 31
"""MySQL has no OFFSET without a LIMIT."""


def living_members(connection: Connection, group_ids: Sequence[int]) -> dict[int, list[str]]:
    """Group's row id → UUIDs of its servers that are not deleted; one statement."""
    found: dict[int, list[str]] = {ident: [] for ident in group_ids}
    if group_ids:
        query = (
            sa.select(_M.group_id, _M.server_uuid)
            .join(server_mappings, server_mappings.c.uuid == _M.server_uuid)
            .where(_M.group_id.in_(group_ids), server_mappings.c.counted.is_(sa.true()))
            .order_by(server_mappings.c.created_at, _M.server_uuid)
        )
        for group_id, server_uuid in connection.execute(query):
            found[group_id].append(server_uuid)
    return found


def count(connection: Connection, project_id: str, user_id: str | None = None) -> int:
    """How many groups a project has, or a user in it."""
    query = sa.select(sa.func.count()).select_from(server_groups).where(_G.project_id == project_id)
    if user_id is not None:
        query = query.where(_G.user_id == user_id)
    return int(connection.scalar(query) or 0)


def create(connection: Connection, values: Mapping[str, Any]) -> None:
    """A new group."""
    connection.execute(server_groups.insert().values(**values))


def delete(connection: Connection, uuid: str) -> bool:
    """False when there was none."""
    found = connection.scalar(sa.select(_G.id).where(_G.uuid == uuid))
    if found is None:
        return False
    connection.execute(server_group_members.delete().where(_M.group_id == found))
    connection.execute(server_groups.delete().where(_G.id == found))
    return True
