"""What compute hosts and services report, and what the choice of a host reads."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, put, row, rows
from kilonova.store.api_tables import aggregate_hosts, aggregates, host_mappings
from kilonova.store.cell_tables import compute_nodes, services

_S = services.c
_N = compute_nodes.c
COMPUTE = "nova-compute"
_WITH_SERVICE = sa.select(compute_nodes, _S.disabled, _S.disabled_reason, _S.forced_down, _S.last_seen).select_from(
    compute_nodes.join(services, sa.and_(_S.host == _N.host, _S.binary == COMPUTE))
)
_SOME_WITH_SERVICE = _WITH_SERVICE.where(_N.uuid.in_(sa.bindparam("uuids", expanding=True)))


def heartbeat(connection: Connection, host: str, binary: str, uuid: str, now: str) -> bool:
    """Note that a service lives, making its record at the first time; True when it was new."""
    first = {"uuid": uuid, "disabled": False, "forced_down": False, "version": 1, "created_at": now}
    seen = {"last_seen": now, "updated_at": now}
    return put(connection, services, {"host": host, "binary": binary}, seen, first)


def service(connection: Connection, host: str, binary: str = COMPUTE) -> Row | None:
    """One service's record."""
    return row(connection, sa.select(services).where(_S.host == host, _S.binary == binary))


def report_node(connection: Connection, host: str, uuid: str, node: str, facts: str, now: str) -> None:
    """Store a node's facts as reported."""
    values = {"host": host, "node": node, "facts": facts, "updated_at": now}
    put(connection, compute_nodes, {"uuid": uuid}, values, {"failed_builds": 0, "created_at": now})


def nodes_by_uuid(connection: Connection, uuids: Collection[str] | None = None) -> list[Row]:
    """Compute nodes joined with their service's state; all of them, or those with the UUIDs."""
    if uuids is None:
        return rows(connection, _WITH_SERVICE)
    return rows(connection, _SOME_WITH_SERVICE, {"uuids": list(uuids)})


def build_failed(connection: Connection, host: str, node: str) -> None:
    """Count a failed build against a node."""
    connection.execute(
        compute_nodes.update().where(_N.host == host, _N.node == node).values(failed_builds=_N.failed_builds + 1)
    )


def build_succeeded(connection: Connection, host: str, node: str) -> None:
    """A build went well: forget earlier failures."""
    connection.execute(
        compute_nodes.update().where(_N.host == host, _N.node == node, _N.failed_builds > 0).values(failed_builds=0)
    )


def aggregates_with_hosts(api: Connection) -> Sequence[Row]:
    """One row per aggregate and host (host None for an empty aggregate): id, uuid, name, metadata, host."""
    query = sa.select(
        aggregates.c.id, aggregates.c.uuid, aggregates.c.name, aggregates.c.metadata, aggregate_hosts.c.host
    ).select_from(aggregates.outerjoin(aggregate_hosts, aggregates.c.id == aggregate_hosts.c.aggregate_id))
    return rows(api, query)


def is_up(found: Row | Any, oldest: str) -> bool:
    """A service is up when it was not forced down and reported since ``oldest``."""
    return found is not None and not found["forced_down"] and (found["last_seen"] or "") >= oldest


def compute_services(connection: Connection, hosts: Collection[str]) -> list[Row]:
    """The compute services of some hosts."""
    return rows(connection, sa.select(services).where(_S.binary == COMPUTE, _S.host.in_(hosts)))


def node_exists(connection: Connection, host: str | None, node: str | None) -> bool:
    """Is there such a compute host, or node, or node of that host?"""
    query = sa.select(_N.id)
    if host:
        query = query.where(_N.host == host)
    if node:
        query = query.where(_N.node == node)
    return connection.scalar(query.limit(1)) is not None


def mapped(api: Connection, cell_id: int) -> list[str]:
    """Hosts of a cell, by the API database."""
    query = sa.select(host_mappings.c.host).where(host_mappings.c.cell_id == cell_id).order_by(host_mappings.c.host)
    return list(api.scalars(query))
