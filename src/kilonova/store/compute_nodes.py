"""Compute nodes with their services and with what their servers use."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.domain.service import COMPUTE
from kilonova.kit.db.rows import Row, rows
from kilonova.kit.db.types import holds
from kilonova.store.cell_tables import compute_nodes, servers, services

_N = compute_nodes.c
_S = services.c
_V = servers.c
_COLUMNS = (
    compute_nodes,
    _S.id.label("service_id"),
    _S.uuid.label("service_uuid"),
    _S.disabled,
    _S.disabled_reason,
    _S.forced_down,
    _S.last_seen,
)
Place = tuple[str, str]
"""Host and node."""


@dataclass(frozen=True, slots=True)
class Use:
    """What the living servers of a node take."""

    servers: int = 0
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    busy: int = 0
    """Servers with a task."""


def _joined() -> Any:
    return compute_nodes.join(services, sa.and_(_S.host == _N.host, _S.binary == COMPUTE))


def page(
    connection: Connection, *, limit: int | None = None, after: int | None = None, pattern: str | None = None
) -> list[Row]:
    """Nodes whose host has a compute service, by number, behind ``after``, with ``pattern`` in their name."""
    query = sa.select(*_COLUMNS).select_from(_joined()).order_by(_N.id)
    if after is not None:
        query = query.where(_N.id > after)
    if pattern:
        query = query.where(holds(_N.node, pattern))
    return rows(connection, query if limit is None else query.limit(limit))


def find(connection: Connection, ident: int | str) -> Row | None:
    """A node by number (unique in its cell) or UUID."""
    mine = _N.id == ident if isinstance(ident, int) else _N.uuid == ident
    found = rows(connection, sa.select(*_COLUMNS).select_from(_joined()).where(mine))
    return found[0] if found else None


def uuids_of(connection: Connection, host: str) -> list[str]:
    """UUIDs of a host's nodes: its resource providers."""
    return list(connection.scalars(sa.select(_N.uuid).where(_N.host == host)))


def of_host(connection: Connection, host: str) -> list[Row]:
    """A host's nodes."""
    return rows(connection, sa.select(compute_nodes).where(_N.host == host).order_by(_N.id))


def use_by_project(connection: Connection, host: str) -> dict[str, tuple[int, int, int]]:
    """Project → vCPUs, memory (MiB) and disk (GiB) of its living servers on a host."""
    sums = (sa.func.sum(_V.vcpus), sa.func.sum(_V.memory_mb), sa.func.sum(_V.disk_gb))
    query = sa.select(_V.project_id, *sums).where(_V.host == host, _V.deleted == 0).group_by(_V.project_id)
    found = connection.execute(query.order_by(_V.project_id))
    return {project: (int(cpu), int(memory), int(disk)) for project, cpu, memory, disk in found}


def use(connection: Connection, hosts: Collection[str] | None = None) -> dict[Place, Use]:
    """What is used on the nodes of these hosts (None: of all), in one statement."""
    query = (
        sa.select(
            _V.host,
            _V.node,
            sa.func.count(),
            sa.func.sum(_V.vcpus),
            sa.func.sum(_V.memory_mb),
            sa.func.sum(_V.disk_gb),
            sa.func.count(_V.task_state),
        )
        .where(_V.deleted == 0, _V.host.is_not(None))
        .group_by(_V.host, _V.node)
    )
    if hosts is not None:
        query = query.where(_V.host.in_(hosts))
    return {(host, node): Use(*(int(value or 0) for value in sums)) for host, node, *sums in connection.execute(query)}


def servers_on(connection: Connection, hosts: Collection[str]) -> dict[Place, list[Row]]:
    """Node → its living servers (id, uuid), oldest first, in one statement."""
    query = sa.select(_V.id, _V.uuid, _V.host, _V.node).where(_V.deleted == 0, _V.host.in_(hosts)).order_by(_V.id)
    found: dict[Place, list[Row]] = {}
    for server in rows(connection, query):
        found.setdefault((server["host"], server["node"]), []).append(server)
    return found
