"""Shares of servers: file systems of the share service that their guests mount."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, rows
from kilonova.store.cell_tables import servers, shares

_S = shares.c
_OF_SERVER = sa.select(shares).where(_S.server_uuid == sa.bindparam("server")).order_by(_S.id)


def of_server(connection: Connection, server_uuid: str) -> list[Row]:
    """The server's shares, oldest first."""
    return rows(connection, _OF_SERVER, {"server": server_uuid})


def insert(connection: Connection, values: Row) -> None:
    """Write a new one."""
    connection.execute(shares.insert(), dict(values))


def set_status(connection: Connection, server_uuid: str, share_id: str, status: str, now: str) -> None:
    """Of one of the server's shares."""
    connection.execute(shares.update().where(_mine(server_uuid, share_id)).values(status=status, updated_at=now))


def remove(connection: Connection, server_uuid: str, share_id: str) -> None:
    """The server no longer has the share; none is fine."""
    connection.execute(shares.delete().where(_mine(server_uuid, share_id)))


def used_by_others(connection: Connection, share_id: str, host: str, server_uuid: str) -> bool:
    """Another server of the host has the share, too."""
    others = sa.select(_S.id).join(servers, servers.c.uuid == _S.server_uuid)
    wanted = (_S.share_id == share_id, _S.server_uuid != server_uuid, servers.c.host == host, servers.c.deleted == 0)
    return connection.execute(others.where(*wanted).limit(1)).first() is not None


def _mine(server_uuid: str, share_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_S.server_uuid == server_uuid, _S.share_id == share_id)
