"""Limits that were set: for projects, for users in projects, and for the class everyone is in."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.db.rows import put
from kilonova.store.api_tables import quota_classes, quota_locks, quotas, server_mappings

_Q = quotas.c
_K = quota_classes.c
_L = quota_locks.c
_M = server_mappings.c
DEFAULT_CLASS = "default"
PROJECT = ""
"""In the place of a user: the project's own limit."""


def hold(connection: Connection, resource: str, owner: str) -> None:
    """From here to the end of the transaction nobody else adds to what ``owner`` has of ``resource``.

    The first statement of its transaction: what is counted behind it is what there is.
    """
    mine = sa.select(_L.owner).where(_L.resource == resource, _L.owner == owner).with_for_update()
    if connection.scalar(mine) is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(quota_locks.insert().values(resource=resource, owner=owner))
    except IntegrityError:
        connection.scalar(mine)  # another request made the row at the same moment


def class_limits(connection: Connection, options: Mapping[str, int], class_name: str = DEFAULT_CLASS) -> dict[str, int]:
    """Every resource's limit in a class: what was set for it, else the options'."""
    query = sa.select(_K.resource, _K.hard_limit).where(_K.class_name == class_name)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {name: found.get(name, limit) for name, limit in options.items()}


def limits(
    connection: Connection, project_id: str, options: Mapping[str, int], user_id: str | None = None
) -> dict[str, int]:
    """The effective limit of every resource of ``options``: user's, else project's, else the class's, else options'.

    One statement.
    """
    users = (PROJECT,) if user_id is None else (PROJECT, user_id)
    own = sa.select(_Q.user_id, _Q.resource, _Q.hard_limit).where(_Q.project_id == project_id, _Q.user_id.in_(users))
    of_class = sa.select(sa.null(), _K.resource, _K.hard_limit).where(_K.class_name == DEFAULT_CLASS)
    found: dict[str | None, dict[str, int]] = {}
    for owner, resource, limit in connection.execute(sa.union_all(own, of_class)):
        found.setdefault(owner, {})[resource] = limit
    layers = {**options}
    for owner in (None, *users):
        layers.update(found.get(owner, {}))
    return {name: layers[name] for name in options}


def of_projects(connection: Connection) -> dict[str, dict[str, int]]:
    """Project → what was set for it, limits of single users left out."""
    found: dict[str, dict[str, int]] = {}
    query = sa.select(_Q.project_id, _Q.resource, _Q.hard_limit).where(_Q.user_id == PROJECT)
    for project, resource, limit in connection.execute(query):
        found.setdefault(project, {})[resource] = limit
    return found


def set_limits(connection: Connection, project_id: str, wanted: Mapping[str, int], user_id: str | None = None) -> None:
    """Set limits of a project, or of a user in it."""
    owner = PROJECT if user_id is None else user_id
    for resource, limit in wanted.items():
        key = {"project_id": project_id, "user_id": owner, "resource": resource}
        put(connection, quotas, key, {"hard_limit": limit})


def set_class_limits(connection: Connection, class_name: str, wanted: Mapping[str, int]) -> None:
    """Set limits of a class."""
    for resource, limit in wanted.items():
        put(connection, quota_classes, {"class_name": class_name, "resource": resource}, {"hard_limit": limit})


def delete_limits(connection: Connection, project_id: str, user_id: str | None = None) -> None:
    """Forget the limits of a user, or of a project with all its users."""
    mine = [_Q.project_id == project_id]
    if user_id is not None:
        mine.append(_Q.user_id == user_id)
    connection.execute(quotas.delete().where(*mine))


def user_usage(connection: Connection, project_id: str, user_id: str) -> dict[str, int]:
    """Instances, cores and ram of one user's servers in a project."""
    query = sa.select(sa.func.count(), sa.func.sum(_M.cores), sa.func.sum(_M.ram)).where(
        _M.project_id == project_id, _M.user_id == user_id, _M.counted.is_(sa.true())
    )
    found = connection.execute(query).one()
    return dict(zip(("instances", "cores", "ram"), (int(value or 0) for value in found), strict=True))
