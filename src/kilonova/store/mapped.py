"""What is mapped to a cell: for those who repair and remove cells by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import row, rows
from kilonova.store import server_mappings as usage
from kilonova.store.api_tables import cells, host_mappings, server_mappings
from kilonova.store.cell_tables import servers
from kilonova.store.server_mappings import Demand

_M = server_mappings.c
_H = host_mappings.c
_S = servers.c
_NEEDED = (_S.uuid, _S.project_id, _S.user_id, _S.vcpus, _S.memory_mb, _S.deleted, _S.created_at)


@dataclass(frozen=True)
class Holdings:
    """What a cell has."""

    hosts: int
    living: int
    gone: int
    """Mappings of servers that are deleted."""


def holdings(api: Connection, cell_id: int) -> Holdings:
    """Counted in the API database alone."""
    hosts = sa.select(sa.func.count()).select_from(host_mappings).where(_H.cell_id == cell_id)
    mine = sa.select(sa.func.count()).select_from(server_mappings).where(_M.cell_id == cell_id)
    living = api.scalar(mine.where(_M.counted.is_(sa.true()))) or 0
    return Holdings(api.scalar(hosts) or 0, living, (api.scalar(mine) or 0) - living)


def remove_cell(api: Connection, cell_id: int) -> None:
    """The cell's mapping, with what is mapped to it; the cell's own database is left alone."""
    api.execute(host_mappings.delete().where(_H.cell_id == cell_id))
    api.execute(server_mappings.delete().where(_M.cell_id == cell_id))
    api.execute(cells.delete().where(cells.c.id == cell_id))


def hosts(api: Connection, cell_id: int | None = None) -> list[Mapping[str, Any]]:
    """``host``, and ``name`` and ``uuid`` of its cell."""
    query = sa.select(_H.host, cells.c.name, cells.c.uuid).join_from(host_mappings, cells).order_by(_H.host)
    return rows(api, query if cell_id is None else query.where(_H.cell_id == cell_id))


def remove_host(api: Connection, host: str) -> None:
    """The host is mapped no more."""
    api.execute(host_mappings.delete().where(_H.host == host))


def mapping(api: Connection, uuid: str) -> Mapping[str, Any] | None:
    """A server's mapping."""
    return row(api, sa.select(server_mappings).where(_M.uuid == uuid))


def servers_after(cell: Connection, uuid: str, limit: int) -> list[Mapping[str, Any]]:
    """Servers of a cell by UUID, deleted ones too: what their mappings are made of."""
    return rows(cell, sa.select(*_NEEDED).where(_S.uuid > uuid).order_by(_S.uuid).limit(limit))


def unmapped(api: Connection, found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those servers that are not mapped."""
    known = set(api.scalars(sa.select(_M.uuid).where(_M.uuid.in_([one["uuid"] for one in found]))))
    return [one for one in found if one["uuid"] not in known]


def map_servers(api: Connection, cell_id: int, found: Sequence[Mapping[str, Any]]) -> None:
    """Map servers, and count what living ones use, whatever the quota."""
    for one in found:
        counted = one["deleted"] == 0
        amounts = {"cores": one["vcpus"], "ram": one["memory_mb"]}
        if counted:
            wanted = {"instances": 1, **amounts}
            usage.reserve(api, Demand(one["project_id"], one["user_id"], wanted, {}, unlimited=True))
        owner = {name: one[name] for name in ("uuid", "project_id", "user_id", "created_at")}
        usage.add(api, [{**owner, **amounts, "cell_id": cell_id, "counted": counted, "confirmed": True}])
