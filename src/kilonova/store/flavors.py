"""Flavors, who may use the private ones, and their extra specs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.domain.flavor import (
    ExtraSpecNotFound,
    FlavorAccessExists,
    FlavorAccessNotFound,
    FlavorExists,
    FlavorMarkerNotFound,
    FlavorNotFound,
)
from kilonova.kit import codec
from kilonova.kit.db import keyset
from kilonova.kit.db.prepared import Prepared
from kilonova.kit.db.rows import Row, row, rows
from kilonova.kit.db.types import holds
from kilonova.store.api_tables import flavor_projects, flavors
from kilonova.store.cell_tables import servers

_C = flavors.c
SORT_KEYS: Mapping[str, Any] = {
    # API name → column
    "created_at": _C.created_at,
    "description": _C.description,
    "disabled": _C.disabled,
    "ephemeral_gb": _C.ephemeral_gb,
    "flavorid": _C.flavor_id,
    "id": _C.id,
    "is_public": _C.is_public,
    "memory_mb": _C.memory_mb,
    "name": _C.name,
    "root_gb": _C.root_gb,
    "rxtx_factor": _C.rxtx_factor,
    "swap": _C.swap_mb,
    "updated_at": _C.updated_at,
    # Every flavor has the same weight: only the tie-breaker orders.
    "vcpu_weight": _C.id,
    "vcpus": _C.vcpus,
}


@dataclass(frozen=True, kw_only=True)
class FlavorQuery:
    """One page of a list."""

    limit: int
    project_id: str | None = None
    """Whose accessible private flavors count among the public ones."""
    public: bool | None = True
    """None: public and private ones, whoever has access."""
    disabled: bool | None = None
    min_ram: int | None = None
    min_disk: int | None = None
    name: str | None = None
    """Part of the name."""
    sort: Sequence[tuple[str, str]] = (("flavorid", "asc"),)
    marker: str | None = None


def page(connection: Connection, wanted: FlavorQuery) -> list[Row]:
    """The rows. Raises FlavorMarkerNotFound."""
    order = [(SORT_KEYS[key], direction) for key, direction in wanted.sort]
    order.append((_C.id, wanted.sort[-1][1]))
    query = sa.select(flavors).where(*_conditions(wanted))
    if wanted.marker is not None:
        marker = sa.select(*keyset.values_of(order)).where(_C.flavor_id == wanted.marker)
        found = connection.execute(marker).one_or_none()
        if found is None:
            raise FlavorMarkerNotFound(marker=wanted.marker)
        query = query.where(keyset.after(list(found), order))
    return rows(connection, keyset.ordered(query, order).limit(wanted.limit))


def _conditions(wanted: FlavorQuery) -> list[Any]:
    found: list[Any] = []
    if wanted.public is True:
        found.append(_usable(wanted.project_id))
    elif wanted.public is False:
        found.append(_C.is_public.is_(sa.false()))
    if wanted.disabled is not None:
        found.append(_C.disabled == wanted.disabled)
    if wanted.min_ram is not None:
        found.append(_C.memory_mb >= wanted.min_ram)
    if wanted.min_disk is not None:
        found.append(_C.root_gb >= wanted.min_disk)
    if wanted.name:
        found.append(holds(_C.name, wanted.name))
    return found


def _usable(project_id: str | None) -> Any:
    if project_id is None:
        return _C.is_public.is_(sa.true())
    access = sa.select(flavor_projects.c.flavor_id).where(flavor_projects.c.project_id == project_id)
    return sa.or_(_C.is_public.is_(sa.true()), _C.id.in_(access))


_NAMED = sa.select(flavors).where(_C.flavor_id == sa.bindparam("wanted"))
_ANY = Prepared(_NAMED)
_ACCESS = sa.select(flavor_projects.c.flavor_id).where(flavor_projects.c.project_id == sa.bindparam("project"))
_USABLE = Prepared(_NAMED.where(sa.or_(_C.is_public.is_(sa.true()), _C.id.in_(_ACCESS))))


def find(connection: Connection, flavor_id: str, *, project_id: str | None, see_all: bool = False) -> Row:
    """A flavor by its id; private ones only for projects with access unless ``see_all``. Raises FlavorNotFound."""
    if see_all:
        found = _ANY.one(connection, {"wanted": flavor_id})
    else:
        found = _USABLE.one(connection, {"wanted": flavor_id, "project": project_id})
    if found is None:
        raise FlavorNotFound(flavor_id=flavor_id)
    return found


def _locked(connection: Connection, flavor_id: str) -> Row:
    found = row(connection, sa.select(flavors).where(_C.flavor_id == flavor_id).with_for_update())
    if found is None:
        raise FlavorNotFound(flavor_id=flavor_id)
    return found


def create(connection: Connection, values: Mapping[str, Any]) -> Row:
    """A new flavor; ``extra_specs`` starts empty. Raises FlavorExists."""
    taken = sa.select(_C.flavor_id, _C.name).where(
        sa.or_(_C.flavor_id == values["flavor_id"], _C.name == values["name"])
    )
    for other in rows(connection, taken):
        _refuse(values, by_id=other["flavor_id"] == values["flavor_id"])
    try:
        with connection.begin_nested():
            connection.execute(flavors.insert().values(extra_specs="{}", **values))
    except IntegrityError:
        # Another request took one of the two at this moment; which, the next try would tell.
        _refuse(values, by_id=False)
    return _locked(connection, values["flavor_id"])


def _refuse(values: Mapping[str, Any], *, by_id: bool) -> None:
    if by_id:
        raise FlavorExists(what="ID", value=values["flavor_id"])
    raise FlavorExists(what="name", value=values["name"])


def describe(connection: Connection, flavor_id: str, description: str | None, now: str) -> Row:
    """Change the description. Raises FlavorNotFound."""
    changed = flavors.update().where(_C.flavor_id == flavor_id).values(description=description, updated_at=now)
    if not connection.execute(changed).rowcount:
        raise FlavorNotFound(flavor_id=flavor_id)
    return find(connection, flavor_id, project_id=None, see_all=True)


def delete(connection: Connection, flavor_id: str) -> None:
    """Servers keep their own copy. Raises FlavorNotFound."""
    found = _locked(connection, flavor_id)
    connection.execute(flavor_projects.delete().where(flavor_projects.c.flavor_id == found["id"]))
    connection.execute(flavors.delete().where(_C.id == found["id"]))


def projects(connection: Connection, flavor_key: int) -> list[str]:
    """Projects with access to the flavor (by the row's id), sorted."""
    query = sa.select(flavor_projects.c.project_id).where(flavor_projects.c.flavor_id == flavor_key)
    return sorted(connection.scalars(query))


def allow(connection: Connection, flavor: Row, project_id: str) -> None:
    """Give a project access. Raises FlavorAccessExists."""
    try:
        with connection.begin_nested():
            connection.execute(flavor_projects.insert().values(flavor_id=flavor["id"], project_id=project_id))
    except IntegrityError:
        raise FlavorAccessExists(flavor_id=flavor["flavor_id"], project_id=project_id) from None


def disallow(connection: Connection, flavor: Row, project_id: str) -> None:
    """Take access away. Raises FlavorAccessNotFound."""
    mine = (flavor_projects.c.flavor_id == flavor["id"], flavor_projects.c.project_id == project_id)
    if not connection.execute(flavor_projects.delete().where(*mine)).rowcount:
        raise FlavorAccessNotFound(flavor_id=flavor["flavor_id"], project_id=project_id)


def merge_extra_specs(connection: Connection, flavor_id: str, specs: Mapping[str, str], now: str) -> dict[str, str]:
    """Add or overwrite extra specs; returns all of them. Raises FlavorNotFound."""
    found = _locked(connection, flavor_id)
    return _write_specs(connection, found, {**codec.loads(found["extra_specs"]), **specs}, now)


def drop_extra_spec(connection: Connection, flavor_id: str, key: str, now: str) -> None:
    """Raises FlavorNotFound, ExtraSpecNotFound."""
    found = _locked(connection, flavor_id)
    specs = codec.loads(found["extra_specs"])
    if key not in specs:
        raise ExtraSpecNotFound(flavor_id=flavor_id, key=key)
    del specs[key]
    _write_specs(connection, found, specs, now)


def _write_specs(connection: Connection, found: Row, specs: dict[str, str], now: str) -> dict[str, str]:
    text = codec.text(specs)
    connection.execute(flavors.update().where(_C.id == found["id"]).values(extra_specs=text, updated_at=now))
    return specs


def every_extra_specs(connection: Connection) -> list[dict[str, str]]:
    """Extra specs of all flavors that have some."""
    texts = connection.scalars(sa.select(flavors.c.extra_specs).where(flavors.c.extra_specs != "{}"))
    return [codec.loads(text) for text in texts]


def embedded(cell: Connection) -> list[str]:
    """Flavors, each once, of a cell's living servers as these keep them: JSON."""
    return list(cell.scalars(sa.select(servers.c.flavor).where(servers.c.deleted == 0).distinct()))
