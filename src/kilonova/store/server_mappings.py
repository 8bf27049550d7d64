"""Which cell has which server, and what each project uses: one transaction in the API database changes both."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.rows import row, rows
from kilonova.store.api_tables import quota_usage, quotas, server_mappings

_M = server_mappings.c
_U = quota_usage.c
COUNTED = ("instances", "cores", "ram")


def reserve(connection: Connection, project_id: str, wanted: Mapping[str, int], defaults: Mapping[str, int]) -> bool:
    """Add to the project's usage in one guarded statement; False when a limit would be passed.

    The limit of each resource is the project's own, else ``defaults``; -1 is no limit.
    """
    if _guarded_add(connection, project_id, wanted, defaults):
        return True
    known = connection.scalar(sa.select(_U.project_id).where(_U.project_id == project_id))
    if known is not None:
        return False
    try:
        with connection.begin_nested():
            connection.execute(quota_usage.insert().values(project_id=project_id, instances=0, cores=0, ram=0))
    except IntegrityError:
        pass  # another request made the row at the same moment
    return _guarded_add(connection, project_id, wanted, defaults)


def _guarded_add(
    connection: Connection, project_id: str, wanted: Mapping[str, int], defaults: Mapping[str, int]
) -> bool:
    conditions = [_U.project_id == project_id]
    for name in COUNTED:
        own = (
            sa.select(quotas.c.hard_limit)
            .where(quotas.c.project_id == project_id, quotas.c.user_id == "", quotas.c.resource == name)
            .scalar_subquery()
        )
        limit = sa.func.coalesce(own, defaults[name])
        conditions.append(sa.or_(limit < 0, _U[name] + wanted[name] <= limit))
    changes = {name: _U[name] + wanted[name] for name in COUNTED}
    return bool(connection.execute(quota_usage.update().where(*conditions).values(**changes)).rowcount)


def usage(connection: Connection, project_id: str) -> dict[str, int]:
    """Instances, cores and ram the project uses."""
    found = row(connection, sa.select(quota_usage).where(_U.project_id == project_id))
    return {name: found[name] if found else 0 for name in COUNTED}


def limits(connection: Connection, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """The project's limits of what is counted here."""
    query = sa.select(quotas.c.resource, quotas.c.hard_limit).where(
        quotas.c.project_id == project_id, quotas.c.user_id == ""
    )
    own = {found.resource: found.hard_limit for found in connection.execute(query)}
    return {name: own.get(name, defaults[name]) for name in COUNTED}


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Map new servers."""
    connection.execute(server_mappings.insert(), [dict(row) for row in rows])


def release(connection: Connection, uuid: str) -> None:
    """The server is gone: its usage is given back, once, however often this is called."""
    living = sa.select(_M.project_id, _M.cores, _M.ram).where(_M.uuid == uuid, _M.counted.is_(sa.true()))
    found = row(connection, living)
    if found is None:
        return
    mine = server_mappings.update().where(_M.uuid == uuid, _M.counted.is_(sa.true())).values(counted=False)
    if connection.execute(mine).rowcount:
        connection.execute(
            quota_usage.update()
            .where(_U.project_id == found["project_id"])
            .values(instances=_U.instances - 1, cores=_U.cores - found["cores"], ram=_U.ram - found["ram"])
        )


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
