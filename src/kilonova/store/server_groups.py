"""Server groups and their members."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row
from kilonova.store.api_tables import server_group_members, server_groups

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
