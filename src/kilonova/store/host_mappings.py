"""Which cell a compute host belongs to."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.domain.service import COMPUTE
from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Conflict
from kilonova.store.api_tables import host_mappings
from kilonova.store.cell_tables import compute_nodes, services


class RacedWithAnother(Conflict):
    """Another process mapped one of the hosts in the same moment."""

    template = "Another run maps hosts at the same time; run again"


def all_hosts(api: Connection) -> dict[str, int]:
    """Host → cell id."""
    return {row.host: row.cell_id for row in api.execute(sa.select(host_mappings))}


def add(api: Connection, cell_id: int, hosts: Iterable[str]) -> None:
    """Map hosts that are not mapped. Raises RacedWithAnother."""
    rows = [{"host": host, "cell_id": cell_id} for host in hosts]
    if not rows:
        return
    try:
        api.execute(host_mappings.insert(), rows)
    except IntegrityError as error:
        raise RacedWithAnother from error


def add_new(api: Database, cell_id: int, there: Sequence[str]) -> list[str]:
    """Map those of a cell's hosts that are not mapped; returns them. Raises RacedWithAnother."""
    with api.write() as connection:
        known = all_hosts(connection)
        fresh = [host for host in there if host not in known]
        add(connection, cell_id, fresh)
    return fresh


def in_cell(connection: Connection, *, by_service: bool = False) -> list[str]:
    """Compute hosts that a cell knows, by their nodes or by their services."""
    column = services.c.host if by_service else compute_nodes.c.host
    query = sa.select(column).distinct().order_by(column)
    if by_service:
        query = query.where(services.c.binary == COMPUTE)
    return list(connection.scalars(query))
