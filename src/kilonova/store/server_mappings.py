"""Which cell has which server, and what each project uses: one transaction in the API database changes both."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.later import later
from kilonova.kit.db.prepared import Prepared
from kilonova.kit.db.rows import row, rows
from kilonova.store.api_tables import quota_classes, quota_usage, quotas, server_mappings

_M = server_mappings.c
_U = quota_usage.c
_Q = quotas.c
_K = quota_classes.c
DEFAULT_CLASS = "default"
_NO_LIMIT = 1 << 62
COUNTED = ("instances", "cores", "ram")
_PROJECT = sa.bindparam("asks_project", type_=_M.project_id.type)
_USER = sa.bindparam("asks_user", type_=_M.user_id.type)
_GONE = (_M.uuid == sa.bindparam("gone"), _M.counted.is_(sa.true()))
_COUNTING = Prepared(sa.select(_M.project_id, _M.cores, _M.ram).where(*_GONE))
_DISCOUNT = Prepared(server_mappings.update().where(*_GONE).values(counted=False))
_ADD = server_mappings.insert()
_GIVE_BACK = Prepared(
    quota_usage.update()
    .where(_U.project_id == _PROJECT)
    .values(
        instances=_U.instances - 1,
        cores=_U.cores - sa.bindparam("given_cores", type_=sa.Integer),
        ram=_U.ram - sa.bindparam("given_ram", type_=sa.Integer),
    )
)


@dataclass(frozen=True)
class Demand:
    """What a request wants to count for, and in whose name."""

    project_id: str
    user_id: str
    wanted: Mapping[str, int]
    """Resource → amount, for each of ``COUNTED``."""
    defaults: Mapping[str, int]
    """Limits where neither project nor quota class has one; -1 is no limit."""
    unlimited: bool = False
    """Count, but refuse nothing (the driver without quotas)."""
    final: bool = False
    """``defaults`` are the limits; what the database has of projects, users and classes does not count."""


def reserve(connection: Connection, demand: Demand) -> bool:
    """Add to the project's usage in one guarded statement; False when a limit would be passed.

    The limit of each resource is the project's own, else the default class's, else ``defaults``; a user's own limit
    in the project holds besides.
    """
    if _guarded_add(connection, demand, quickly=True):
        return True
    _lock(connection, demand.project_id)
    return _guarded_add(connection, demand, quickly=False)


def _lock(connection: Connection, project_id: str) -> None:
    """From here on nobody else adds to the project's usage, or maps servers of it, until we have."""
    mine = sa.select(_U.project_id).where(_U.project_id == project_id).with_for_update()
    if connection.scalar(mine) is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(quota_usage.insert().values(project_id=project_id, instances=0, cores=0, ram=0))
    except IntegrityError:
        connection.scalar(mine)  # another request made the row at the same moment


def _guarded_add(connection: Connection, demand: Demand, *, quickly: bool) -> bool:
    values: dict[str, Any] = {"asks_project": demand.project_id}
    for name in COUNTED:
        values[f"asks_{name}"] = demand.wanted[name]
        if not demand.unlimited:
            limit = demand.defaults[name]
            values[f"default_{name}"] = limit if limit >= 0 else _NO_LIMIT
    if not (demand.unlimited or demand.final):
        values["asks_user"] = demand.user_id
    kind = "counted" if demand.unlimited else "final" if demand.final else "quick" if quickly else "whole"
    return bool(_addition(kind).change(connection, values))


@functools.cache
def _addition(kind: str) -> Prepared:
    """The statement: ``counted`` refuses nothing, ``final`` goes by ``defaults``, ``whole`` by all there is.

    A user's own limit needs the sum over the user's servers, which is true only while the project's row is locked.
    ``quick`` changes nothing for users who have one, and leaves to ``whole`` what is rare besides: it costs a third.
    """
    conditions: list[Any] = [_U.project_id == _PROJECT]
    for name in COUNTED if kind != "counted" else ():
        default = sa.bindparam(f"default_{name}", type_=sa.BigInteger)
        if kind == "final":
            conditions.append(_then(name) <= default)
        elif kind == "whole":
            conditions += [_then(name) <= _limit(name, default), ~_user_limit_passed(name)]
    if kind == "quick":
        conditions.append(_fits_at_a_glance())
    return Prepared(quota_usage.update().where(*conditions).values({name: _then(name) for name in COUNTED}))


def _then(name: str) -> Any:
    """What the project uses with what is asked for."""
    return _U[name] + sa.bindparam(f"asks_{name}", type_=sa.Integer)


def _fits_at_a_glance() -> Any:
    """One kind of limits holds for all resources (the project's own, the default class's or the defaults), and is kept.

    Two subqueries; the limit of each resource by itself takes seven.
    """
    mine = (_Q.project_id == _PROJECT, sa.or_(_Q.user_id == _literal(""), _Q.user_id == _USER))
    own = sa.select(_kept(_Q, _Q.user_id == _literal(""))).where(*mine, _is_counted(_Q.resource))
    classed = (_K.class_name == _literal(DEFAULT_CLASS), _is_counted(_K.resource))
    of_class = sa.select(_kept(_K, sa.true())).where(*classed)
    default = sa.and_(*(_then(name) <= sa.bindparam(f"default_{name}", type_=sa.BigInteger) for name in COUNTED))
    none, every = _number(0), _number(len(COUNTED))
    beyond = sa.case((default, _number(1)), else_=none)
    by_class = sa.case((every, _number(1)), (none, beyond), value=of_class.scalar_subquery(), else_=none)
    return sa.case((every, _number(1)), (none, by_class), value=own.scalar_subquery(), else_=none) == _number(1)


def _kept(limits: Any, counts: Any) -> Any:
    """How many of the limits are kept; negative if one is not, or does not ``count``."""
    then = sa.case(*((limits.resource == _literal(name), _then(name)) for name in COUNTED))
    kept = sa.and_(counts, sa.or_(limits.hard_limit < _number(0), then <= limits.hard_limit))
    return sa.func.coalesce(sa.func.sum(sa.case((kept, _number(1)), else_=_number(-len(COUNTED) - 1))), _number(0))


def _is_counted(resource: Any) -> Any:
    return sa.or_(*(resource == _literal(name) for name in COUNTED))


def _limit(name: str, default: Any) -> Any:
    """What the project may use of the resource; what is unlimited has a limit that nothing reaches."""
    mine = (_Q.project_id == _PROJECT, _Q.user_id == _literal(""), _Q.resource == _literal(name))
    own = sa.select(_reached(_Q.hard_limit)).where(*mine)
    classed = (_K.class_name == _literal(DEFAULT_CLASS), _K.resource == _literal(name))
    of_class = sa.select(_reached(_K.hard_limit)).where(*classed)
    return sa.func.coalesce(own.scalar_subquery(), of_class.scalar_subquery(), default)


def _reached(limit: Any) -> Any:
    return sa.case((limit < _number(0), _number(_NO_LIMIT)), else_=limit)


def _number(value: int) -> Any:
    return sa.literal_column(str(value), sa.Integer)


def _literal(word: str) -> Any:
    """One of our own words as part of the statement: each parameter of it costs two microseconds."""
    return sa.literal_column(f"'{word}'")


def _user_limit_passed(name: str) -> Any:
    wanted = sa.bindparam(f"asks_{name}", type_=sa.Integer)
    amount = sa.literal(1) if name == "instances" else _M[name]
    mine = (_M.project_id == _PROJECT, _M.user_id == _USER, _M.counted.is_(sa.true()))
    used = sa.select(sa.func.coalesce(sa.func.sum(amount), 0)).where(*mine).scalar_subquery()
    theirs = (_Q.project_id == _PROJECT, _Q.user_id == _USER, _Q.resource == name)
    over = sa.select(_Q.hard_limit).where(*theirs, _Q.hard_limit >= 0, used + wanted > _Q.hard_limit)
    return over.exists()


def owner(connection: Connection, uuid: str) -> Mapping[str, Any] | None:
    """``project_id`` and ``user_id`` of a server."""
    return row(connection, sa.select(_M.project_id, _M.user_id).where(_M.uuid == uuid))


def get(connection: Connection, uuid: str) -> Mapping[str, Any] | None:
    """The mapping of a server that lives."""
    return row(connection, sa.select(server_mappings).where(_M.uuid == uuid, _M.counted.is_(sa.true())))


def in_cells(
    connection: Connection, cells: Sequence[int], projects: Sequence[str] | None, limit: int
) -> list[Mapping[str, Any]]:
    """Mappings of the living servers of some cells (and of some projects), newest first."""
    query = sa.select(server_mappings).where(_M.cell_id.in_(cells), _M.counted.is_(sa.true()))
    if projects is not None:
        query = query.where(_M.project_id.in_(projects))
    return rows(connection, query.order_by(_M.created_at.desc(), _M.uuid.desc()).limit(max(limit, 0)))


def relocate(connection: Connection, uuid: str, cell_id: int) -> None:
    """The server lives in this cell now, and was seen there."""
    connection.execute(server_mappings.update().where(_M.uuid == uuid).values(cell_id=cell_id, confirmed=True))


def sketch(connection: Connection, uuid: str, text: str) -> None:
    """What is told of the server while its cell does not answer."""
    connection.execute(server_mappings.update().where(_M.uuid == uuid).values(sketch=text))


def usage(connection: Connection, project_id: str) -> dict[str, int]:
    """Instances, cores and ram the project uses."""
    found = row(connection, sa.select(quota_usage).where(_U.project_id == project_id))
    return {name: found[name] if found else 0 for name in COUNTED}


def add(connection: Connection, rows: Sequence[Mapping[str, Any]], *, last: bool = False) -> None:
    """Map new servers. ``last``: the transaction writes nothing afterwards."""
    if last and len(rows) == 1:
        later(connection, _ADD, rows[0])
    else:
        connection.execute(_ADD, [dict(row) for row in rows])


def release(connection: Connection, uuid: str) -> None:
    """The server is gone: its usage is given back, once, however often this is called."""
    found = _COUNTING.one(connection, {"gone": uuid})
    if found is not None and _DISCOUNT.change(connection, {"gone": uuid}):
        given = {"asks_project": found["project_id"], "given_cores": found["cores"], "given_ram": found["ram"]}
        _GIVE_BACK.change(connection, given)


def count_again(connection: Connection, uuid: str, demand: Demand) -> bool:
    """A server whose usage was released uses it again; counted already is fine. False when a limit would be passed."""
    released = server_mappings.update().where(_M.uuid == uuid, _M.counted.is_(sa.false())).values(counted=True)
    mine = (_M.uuid == uuid, _M.counted.is_(sa.true()))
    if connection.scalar(sa.select(_M.uuid).where(*mine)) is not None:
        return True
    if not reserve(connection, demand):
        return False
    connection.execute(released)
    return True


def recount(
    connection: Connection, uuid: str, to: Mapping[str, int], defaults: Mapping[str, int] | None, *, final: bool = False
) -> bool:
    """Let the server count for other ``cores`` and ``ram``; False when what is more passes a limit.

    ``defaults`` and ``final``: see Demand; None refuses nothing.
    Fine when it counts for that already, or not at all any more.
    """
    living = sa.select(server_mappings).where(_M.uuid == uuid, _M.counted.is_(sa.true())).with_for_update()
    found = row(connection, living)
    if found is None:
        return True
    more = {name: max(to[name] - found[name], 0) for name in ("cores", "ram")}
    less = {name: max(found[name] - to[name], 0) for name in ("cores", "ram")}
    wanted = {"instances": 0, **more}
    demand = Demand(found["project_id"], found["user_id"], wanted, defaults or {}, defaults is None, final)
    if any(more.values()) and not reserve(connection, demand):
        return False
    usage_row = quota_usage.update().where(_U.project_id == found["project_id"])
    connection.execute(usage_row.values(cores=_U.cores - less["cores"], ram=_U.ram - less["ram"]))
    connection.execute(server_mappings.update().where(_M.uuid == uuid).values(cores=to["cores"], ram=to["ram"]))
    return True


def unconfirmed(connection: Connection, before: str, limit: int = 500) -> list[Mapping[str, Any]]:
    """Mappings older than ``before`` whose server has not been seen in its cell yet."""
    query = sa.select(_M.uuid, _M.cell_id).where(_M.confirmed.is_(sa.false()), _M.created_at < before).limit(limit)
    return rows(connection, query)


def confirm(connection: Connection, uuids: Sequence[str]) -> None:
    """These servers were seen in their cells."""
    if uuids:
        connection.execute(server_mappings.update().where(_M.uuid.in_(uuids)).values(confirmed=True))


def forget(connection: Connection, uuids: Sequence[str]) -> None:
    """Remove mappings whose usage has been released."""
    if uuids:
        connection.execute(server_mappings.delete().where(_M.uuid.in_(uuids)))
