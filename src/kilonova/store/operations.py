"""The journal's rows: operations and their steps."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.cell_tables import operations, steps

_O = operations.c
_S = steps.c
OPEN = ("queued", "running")


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Write accepted operations in one statement."""
    connection.execute(operations.insert(), [dict(row) for row in rows])


def get(connection: Connection, operation_id: str) -> Row | None:
    """The operation, with ``blocked``: an earlier operation on the same server is not finished."""
    earlier = operations.alias()
    blocked = (
        sa.select(earlier.c.seq)
        .where(earlier.c.server_uuid == _O.server_uuid, earlier.c.state.in_(OPEN), earlier.c.seq < _O.seq)
        .exists()
    )
    query = sa.select(operations, blocked.label("blocked")).where(_O.id == operation_id)
    return row(connection, query)


def claim(connection: Connection, seen: Row, owner: str, now: str, until: str) -> bool:
    """Take an operation that is due: queued, or running with a lease that ran out.

    False: another was quicker, even if it has given the operation back since ``seen`` was read.
    """
    values = {"state": "running", "owner": owner, "lease_until": until, "updated_at": now}
    statement = operations.update().where(_O.id == seen["id"], _O.attempts == seen["attempts"], _is_due(now))
    return bool(connection.execute(statement.values(attempts=_O.attempts + 1, **values)).rowcount)


def renew(connection: Connection, owner: str, until: str) -> int:
    """Prolong all leases of an owner; returns how many."""
    statement = operations.update().where(_O.owner == owner, _O.state == "running").values(lease_until=until)
    return int(connection.execute(statement).rowcount)


def prolong(connection: Connection, operation_id: str, owner: str, until: str) -> bool:
    """Prolong one lease; False when it is not the owner's any more."""
    mine = (_O.id == operation_id, _O.owner == owner, _O.state == "running")
    return bool(connection.execute(operations.update().where(*mine).values(lease_until=until)).rowcount)


def standing(connection: Connection, operation_id: str) -> Row | None:
    """``owner``, ``cancel`` and ``state`` of the operation."""
    query = sa.select(_O.owner, _O.cancel, _O.state).where(_O.id == operation_id)
    return row(connection, query)


def requeue(connection: Connection, operation_id: str, owner: str, not_before: str, values: Row) -> bool:
    """Give the operation back, to be tried again later; its finished steps stay. False: it was not ours.

    One that was asked to stop meanwhile does not wait: its server is being deleted.
    """
    mine = (_O.id == operation_id, _O.owner == owner, _O.state == "running")
    waits = sa.case((_O.cancel.is_(sa.true()), sa.null()), else_=not_before)
    changes = {**values, "state": "queued", "owner": None, "lease_until": waits}
    return bool(connection.execute(operations.update().where(*mine).values(**changes)).rowcount)


def end(connection: Connection, operation_id: str, owner: str, values: Row) -> bool:
    """Record the end, if the lease is still ours."""
    statement = operations.update().where(_O.id == operation_id, _O.owner == owner, _O.state == "running")
    return bool(connection.execute(statement.values(**values, lease_until=None)).rowcount)


def finish(connection: Connection, operation_id: str, owner: str, values: Row) -> bool:
    """Record success, if the lease is still ours and nobody asked the operation to stop."""
    mine = (_O.id == operation_id, _O.owner == owner, _O.state == "running", _O.cancel.is_(sa.false()))
    return bool(connection.execute(operations.update().where(*mine).values(**values, lease_until=None)).rowcount)


def cancel_earlier(connection: Connection, server_uuid: str, now: str) -> int:
    """Ask the unfinished operations of a server to stop at their next step; those that wait for better times, now."""
    statement = operations.update().where(_O.server_uuid == server_uuid, _O.state.in_(OPEN), _O.verb != "delete")
    waits = sa.case((_O.state == "queued", sa.null()), else_=_O.lease_until)
    return int(connection.execute(statement.values(cancel=True, lease_until=waits, updated_at=now)).rowcount)


def due(connection: Connection, now: str, limit: int = 100) -> list[str]:
    """Ids of operations that nobody works on and that wait for no other, oldest first."""
    earlier = operations.alias()
    blocked = (
        sa.select(earlier.c.seq)
        .where(earlier.c.server_uuid == _O.server_uuid, earlier.c.state.in_(OPEN), earlier.c.seq < _O.seq)
        .exists()
    )
    query = sa.select(_O.id).where(_is_due(now), ~blocked).order_by(_O.seq).limit(limit)
    return list(connection.scalars(query))


def due_before(connection: Connection, seen: Row, now: str) -> list[str]:
    """Ids of operations that ``seen`` waits for, as far as nobody works on them."""
    query = sa.select(_O.id).where(_O.server_uuid == seen["server_uuid"], _O.seq < seen["seq"], _is_due(now))
    return list(connection.scalars(query.order_by(_O.seq)))


def _is_due(now: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(_O.state == "queued", sa.or_(_O.lease_until.is_(None), _O.lease_until <= now)),
        sa.and_(_O.state == "running", _O.lease_until < now),
    )


def add_step(connection: Connection, step: Row, owner: str) -> bool:
    """Record a step, if the operation is still ``owner``'s and nobody asked it to stop."""
    literals = [sa.literal(step.get(name), _S[name].type).label(name) for name in _STEP_COLUMNS]
    mine = (_O.id == step["operation_id"], _O.owner == owner, _O.state == "running", _O.cancel.is_(sa.false()))
    allowed = sa.select(*literals).select_from(operations).where(*mine)
    return bool(connection.execute(steps.insert().from_select(list(_STEP_COLUMNS), allowed)).rowcount)


_STEP_COLUMNS = ("operation_id", "name", "host", "started_at", "finished_at", "result", "error")


def end_step(connection: Connection, step: Row, owner: str, values: Row) -> bool:
    """Finish a step that was announced, if the operation is still ``owner``'s."""
    mine = sa.select(_O.seq).where(_O.id == step["operation_id"], _O.owner == owner, _O.state == "running").exists()
    announced = (_S.operation_id == step["operation_id"], _S.name == step["name"], mine)
    return bool(connection.execute(steps.update().where(*announced).values(**values)).rowcount)


def fail_open_steps(connection: Connection, operation_id: str, now: str, words: str) -> None:
    """Finish the steps that were under way when their operation failed."""
    connection.execute(
        steps.update()
        .where(_S.operation_id == operation_id, _S.finished_at.is_(None))
        .values(finished_at=now, error=words)
    )


def steps_of(connection: Connection, operation_ids: Sequence[str]) -> list[Row]:
    """Steps in the order they were made."""
    query = sa.select(steps).where(_S.operation_id.in_(operation_ids)).order_by(_S.id)
    return rows(connection, query)


def of_server(connection: Connection, server_uuid: str, hidden: Collection[str] = ()) -> list[Row]:
    """Operations of a server, newest first, without those of ``hidden`` verbs."""
    query = sa.select(operations).where(_O.server_uuid == server_uuid, _O.verb.not_in(hidden)).order_by(_O.seq.desc())
    return rows(connection, query)


def waiting(connection: Connection, server_uuids: Collection[str], verb: str) -> set[str]:
    """Which of the servers have an operation of this verb that has not begun."""
    query = sa.select(_O.server_uuid).where(
        _O.server_uuid.in_(server_uuids), _O.verb == verb, _O.state == "queued", _O.attempts == 0
    )
    return set(connection.scalars(query))


def purge(connection: Connection, server_uuids: Sequence[str]) -> None:
    """Forget the operations of servers that are forgotten."""
    gone = sa.select(_O.id).where(_O.server_uuid.in_(server_uuids))
    connection.execute(steps.delete().where(_S.operation_id.in_(gone)))
    connection.execute(operations.delete().where(_O.server_uuid.in_(server_uuids)))
