"""Which host has a compute node, changed by hand."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.domain.service import COMPUTE
from kilonova.kit.errors import NotFound
from kilonova.store.cell_tables import compute_nodes, servers, services

_N = compute_nodes.c


class NoSuchNode(NotFound):
    """No compute node has the UUID."""

    template = "Compute node {node} could not be found."


class NoSuchHost(NotFound):
    """The node's cell has no compute service on the host."""

    template = "Compute host {host} could not be found."


def give(connection: Connection, uuid: str, host: str) -> int | None:
    """The node and its servers are ``host``'s; how many servers, None for a node of another cell. Raises NoSuchHost."""
    found = connection.execute(sa.select(_N.host, _N.node).where(_N.uuid == uuid)).first()
    if found is None:
        return None
    known = sa.select(services.c.id).where(services.c.host == host, services.c.binary == COMPUTE)
    if connection.scalar(known) is None:
        raise NoSuchHost(host=host)
    connection.execute(compute_nodes.update().where(_N.uuid == uuid).values(host=host))
    mine = (servers.c.host == found.host, servers.c.node == found.node, servers.c.deleted == 0)
    return int(connection.execute(servers.update().where(*mine).values(host=host)).rowcount)


def of_hosts(connection: Connection) -> dict[str, list[str]]:
    """Host → UUIDs of its nodes."""
    found: dict[str, list[str]] = {}
    for row in connection.execute(sa.select(_N.host, _N.uuid).order_by(_N.uuid)):
        found.setdefault(row.host, []).append(row.uuid)
    return found


def uuid_of(connection: Connection, host: str, node: str) -> str | None:
    """The node's UUID, which is also its provider's."""
    return connection.scalar(sa.select(_N.uuid).where(_N.host == host, _N.node == node))
