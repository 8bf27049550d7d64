"""The journal's rows: operations and their steps."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.later import later
from kilonova.kit.db.prepared import Prepared
from kilonova.kit.db.rows import Row, prefixed, row, rows, settings
from kilonova.store.cell_tables import operations, steps

_O = operations.c
_S = steps.c
OPEN = ("queued", "running")
MOST_CHANGED = 5000
_STEP_COLUMNS = ("operation_id", "name", "host", "started_at", "finished_at", "result", "error")


def _is_due(now: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(_O.state == "queued", sa.or_(_O.lease_until.is_(None), _O.lease_until <= now)),
        sa.and_(_O.state == "running", _O.lease_until < now),
    )


def _blocked() -> sa.ColumnElement[bool]:
    earlier = operations.alias()
    # No IN: its list would be put into the text at each execution.
    unfinished = sa.or_(*(earlier.c.state == state for state in OPEN))
    before = (earlier.c.server_uuid == _O.server_uuid, unfinished, earlier.c.seq < _O.seq)
    return sa.select(earlier.c.seq).where(*before).exists()


# What every operation runs is put together once: that takes longer than running it.
_BLOCKED = _blocked()
_WANTED = sa.bindparam("wanted", type_=_O.id.type)
_TAKER = sa.bindparam("taker", type_=_O.owner.type)
_MOMENT = sa.bindparam("moment", type_=_O.updated_at.type)
_ONE = Prepared(sa.select(operations, _BLOCKED.label("blocked")).where(_O.id == _WANTED))
_CLAIM = Prepared(
    operations.update()
    .where(_O.id == _WANTED, _O.attempts == sa.bindparam("seen", type_=sa.Integer), _is_due(_MOMENT))
    .values(
        state="running",
        owner=_TAKER,
        lease_until=sa.bindparam("until", type_=_O.lease_until.type),
        updated_at=_MOMENT,
        attempts=_O.attempts + 1,
    )
)
_STEP_VALUES = {name: sa.bindparam(name, type_=_S[name].type) for name in _STEP_COLUMNS}
_ADD_STEP = Prepared(
    steps.insert().from_select(
        list(_STEP_COLUMNS),
        sa.select(*(value.label(name) for name, value in _STEP_VALUES.items()))
        .select_from(operations)
        .where(
            _O.id == _STEP_VALUES["operation_id"], _O.owner == _TAKER, _O.state == "running", _O.cancel.is_(sa.false())
        ),
    )
)
_STEPS = steps.insert()
_RUNNING = (_O.id == _WANTED, _O.owner == _TAKER, _O.state == "running")
_ENDING = ("finished_at", "result", "error", "host")
_END_STEP = Prepared(
    steps.update()
    .where(
        _S.operation_id == _WANTED,
        _S.name == sa.bindparam("step", type_=_S.name.type),
        sa.select(_O.seq).where(_O.id == _WANTED, _O.owner == _TAKER).exists(),
    )
    .values(**settings(_S, _ENDING))
)
_FINISH = Prepared(
    operations.update()
    .where(*_RUNNING, _O.cancel.is_(sa.false()))
    .values(state="done", finished_at=_MOMENT, updated_at=_MOMENT, error=None, lease_until=None)
)
_ADD = operations.insert()


def insert(connection: Connection, rows: Sequence[Row], *, last: bool = False) -> None:
    """Write accepted operations in one statement. ``last``: the transaction writes nothing afterwards."""
    if last and len(rows) == 1:
        later(connection, _ADD, rows[0])
    else:
        connection.execute(_ADD, [dict(row) for row in rows])


def get(connection: Connection, operation_id: str) -> Row | None:
    """The operation, with ``blocked``: an earlier operation on the same server is not finished."""
    return _ONE.one(connection, {"wanted": operation_id})


def claim(connection: Connection, seen: Row, owner: str, now: str, until: str) -> bool:
    """Take an operation that is due: queued, or running with a lease that ran out.

    False: another was quicker, even if it has given the operation back since ``seen`` was read.
    """
    values = {"wanted": seen["id"], "seen": seen["attempts"], "taker": owner, "until": until, "moment": now}
    return bool(_CLAIM.change(connection, values))


def queued(connection: Connection) -> int:
    """How many are accepted and not begun."""
    return int(connection.scalar(sa.select(sa.func.count()).where(_O.state == "queued")) or 0)


def take_copy(connection: Connection, operation_id: str, owner: str, until: str) -> Row | None:
    """An operation that was copied here and that nobody has taken yet is ``owner``'s; None when somebody has."""
    free = (_O.id == operation_id, _O.state == "queued", _O.owner.is_(None))
    taken = {"state": "running", "owner": owner, "lease_until": until}
    if not connection.execute(operations.update().where(*free).values(**taken)).rowcount:
        return None
    return get(connection, operation_id)


def renew(connection: Connection, owner: str, until: str) -> int:
    """Prolong all leases of an owner; returns how many."""
    statement = operations.update().where(_O.owner == owner, _O.state == "running").values(lease_until=until)
    return int(connection.execute(statement).rowcount)


def prolong(connection: Connection, operation_id: str, owner: str, until: str) -> bool:
    """Prolong one lease; False when it is not the owner's any more."""
    mine = (_O.id == operation_id, _O.owner == owner, _O.state == "running")
    return bool(connection.execute(operations.update().where(*mine).values(lease_until=until)).rowcount)


def orphan(connection: Connection, now: str) -> int:
    """End all leases: for the only conductor of its databases, as it starts. Returns how many there were."""
    return int(connection.execute(operations.update().where(_O.state == "running").values(lease_until=now)).rowcount)


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


def finish(connection: Connection, operation_id: str, owner: str, now: str) -> bool:
    """Record success, if the lease is still ours and nobody asked the operation to stop."""
    parameters = {"wanted": operation_id, "taker": owner, "moment": now}
    return bool(_FINISH.change(connection, parameters))


def cancel_earlier(connection: Connection, server_uuid: str, now: str) -> int:
    """Ask the unfinished operations of a server to stop at their next step; those that wait for better times, now."""
    statement = operations.update().where(_O.server_uuid == server_uuid, _O.state.in_(OPEN), _O.verb != "delete")
    waits = sa.case((_O.state == "queued", sa.null()), else_=_O.lease_until)
    return int(connection.execute(statement.values(cancel=True, lease_until=waits, updated_at=now)).rowcount)


def replace_command(connection: Connection, operation_id: str, command: str) -> None:
    """Keep less of what was asked for."""
    connection.execute(operations.update().where(_O.id == operation_id).values(command=command))


def due(connection: Connection, now: str, limit: int = 100) -> list[str]:
    """Ids of operations that nobody works on and that wait for no other, oldest first."""
    query = sa.select(_O.id).where(_is_due(now), ~_BLOCKED).order_by(_O.seq).limit(limit)
    return list(connection.scalars(query))


def due_before(connection: Connection, seen: Row, now: str) -> list[str]:
    """Ids of operations that ``seen`` waits for, as far as nobody works on them."""
    query = sa.select(_O.id).where(_O.server_uuid == seen["server_uuid"], _O.seq < seen["seq"], _is_due(now))
    return list(connection.scalars(query.order_by(_O.seq)))


def add_step(connection: Connection, step: Row, owner: str) -> bool:
    """Record a step, if the operation is still ``owner``'s and nobody asked it to stop."""
    values = {name: step.get(name) for name in _STEP_COLUMNS}
    return _ADD_STEP.change(connection, {**values, "taker": owner}) > 0


def add_steps(connection: Connection, added: Sequence[Row]) -> None:
    """Record steps in the transaction that has just finished their operation."""
    connection.execute(_STEPS, [{name: step.get(name) for name in _STEP_COLUMNS} for step in added])


def end_step(connection: Connection, step: Row, owner: str) -> bool:
    """Finish a step that was announced, if the operation is still ``owner``'s."""
    values = {"wanted": step["operation_id"], "taker": owner, "step": step["name"]}
    values |= prefixed({name: step.get(name) for name in _ENDING})
    return bool(_END_STEP.change(connection, values))


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


def of_request(connection: Connection, request_id: str) -> list[Row]:
    """What was accepted for one request, in its order."""
    return rows(connection, sa.select(operations).where(_O.request_id == request_id).order_by(_O.seq))


def changed(connection: Connection, since: str, project_id: str | None, hidden: Collection[str]) -> list[Row]:
    """Operations (of a project, or of all for None) that changed at or after a moment, oldest change first.

    At most ``MOST_CHANGED`` at a time.
    """
    query = sa.select(operations).where(_O.updated_at >= since, _O.verb.not_in(hidden))
    if project_id is not None:
        query = query.where(_O.project_id == project_id)
    return rows(connection, query.order_by(_O.updated_at, _O.seq).limit(MOST_CHANGED))


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
