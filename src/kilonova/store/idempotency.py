"""Replies kept by the key that the client gave the request (``Idempotency-Key``)."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.rows import Row, row
from kilonova.store.api_tables import idempotency_keys

_C = idempotency_keys.c


def begin(connection: Connection, values: Row) -> bool:
    """Take a key that nobody has; False when somebody has it."""
    try:
        with connection.begin_nested():
            connection.execute(idempotency_keys.insert().values(**values))
    except IntegrityError:
        return False
    return True


def find(connection: Connection, project_id: str, user_id: str, key: str) -> Row | None:
    """What is known of a key."""
    mine = (_C.project_id == project_id, _C.user_id == user_id, _C.key == key)
    return row(connection, sa.select(idempotency_keys).where(*mine))


def take_over(connection: Connection, seen: Row, request_id: str, now: str, until: str) -> bool:
    """Hold a key whose holder gave no reply in time; False when another was quicker."""
    lost = (_C.id == seen["id"], _C.request_id == seen["request_id"], _C.status.is_(None), _C.held_until < now)
    change = idempotency_keys.update().where(*lost).values(request_id=request_id, held_until=until)
    return bool(connection.execute(change).rowcount)


def finish(connection: Connection, request_id: str, reply: Row) -> None:
    """Keep the reply: ``status``, ``headers``, ``body``."""
    mine = (_C.request_id == request_id, _C.status.is_(None))
    connection.execute(idempotency_keys.update().where(*mine).values(**reply))


def forget(connection: Connection, request_id: str) -> None:
    """The request was refused: the key is free again."""
    connection.execute(idempotency_keys.delete().where(_C.request_id == request_id, _C.status.is_(None)))


def purge(connection: Connection, before: str) -> int:
    """Forget what is older; returns how many."""
    return int(connection.execute(idempotency_keys.delete().where(_C.created_at < before)).rowcount)
