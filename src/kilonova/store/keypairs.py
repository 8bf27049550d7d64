"""Key pairs: users own them, projects do not."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.domain.keypair import KeypairExists, KeypairMarkerNotFound, KeypairNotFound
from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.api_tables import keypairs

_C = keypairs.c


def page(connection: Connection, user_id: str, *, limit: int | None = None, marker: str | None = None) -> list[Row]:
    """A user's key pairs by name, behind the one called ``marker``. Raises KeypairMarkerNotFound."""
    query = sa.select(keypairs).where(_C.user_id == user_id).order_by(_C.name)
    if marker is not None:
        if connection.scalar(sa.select(_C.id).where(_C.user_id == user_id, _C.name == marker)) is None:
            raise KeypairMarkerNotFound(marker=marker)
        query = query.where(_C.name > marker)
    return rows(connection, query if limit is None else query.limit(limit))


def find(connection: Connection, user_id: str, name: str) -> Row:
    """Raises KeypairNotFound."""
    found = row(connection, sa.select(keypairs).where(_C.user_id == user_id, _C.name == name))
    if found is None:
        raise KeypairNotFound(name=name, user_id=user_id)
    return found


def count(connection: Connection, user_id: str) -> int:
    """How many key pairs the user has."""
    return int(connection.scalar(sa.select(sa.func.count()).select_from(keypairs).where(_C.user_id == user_id)) or 0)


def create(connection: Connection, values: Mapping[str, Any]) -> None:
    """Raises KeypairExists."""
    try:
        with connection.begin_nested():
            connection.execute(keypairs.insert().values(**values))
    except IntegrityError:
        raise KeypairExists(name=values["name"]) from None


def delete(connection: Connection, user_id: str, name: str) -> None:
    """Raises KeypairNotFound."""
    if not connection.execute(keypairs.delete().where(_C.user_id == user_id, _C.name == name)).rowcount:
        raise KeypairNotFound(name=name, user_id=user_id)
