"""Passwords that guests stored, encrypted with their users' keys."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.store.cell_tables import server_passwords

_P = server_passwords.c


def get(connection: Connection, server_uuid: str) -> str:
    """The password, empty when there is none."""
    return connection.scalar(sa.select(_P.password).where(_P.server_uuid == server_uuid)) or ""


def put(connection: Connection, server_uuid: str, password: str) -> bool:
    """Store it; False when there is one already."""
    try:
        with connection.begin_nested():
            connection.execute(server_passwords.insert().values(server_uuid=server_uuid, password=password))
    except IntegrityError:
        return False
    return True


def clear(connection: Connection, server_uuid: str) -> None:
    """Forget it."""
    connection.execute(server_passwords.delete().where(_P.server_uuid == server_uuid))
