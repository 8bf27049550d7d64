"""Host aggregates and their hosts."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.domain.aggregate import (
    ZONE,
    AggregateHostExists,
    AggregateHostNotFound,
    AggregateNameExists,
    AggregateNotFound,
)
from kilonova.kit import codec
from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.api_tables import aggregate_hosts, aggregates, host_mappings

_A = aggregates.c
_H = aggregate_hosts.c


def page(connection: Connection) -> list[dict[str, Any]]:
    """All aggregates as ``find`` gives them; two statements."""
    found = rows(connection, sa.select(aggregates).order_by(_A.id))
    hosts: dict[int, list[str]] = {}
    for aggregate_id, host in connection.execute(sa.select(_H.aggregate_id, _H.host).order_by(_H.host)):
        hosts.setdefault(aggregate_id, []).append(host)
    return [_whole(aggregate, hosts.get(aggregate["id"], [])) for aggregate in found]


def _whole(found: Row, hosts: Sequence[str]) -> dict[str, Any]:
    return {**found, "metadata": codec.loads(found["metadata"]), "hosts": list(hosts)}


def find(connection: Connection, aggregate_id: int, *, lock: bool = False) -> dict[str, Any]:
    """The row with ``metadata`` parsed and ``hosts`` sorted. Raises AggregateNotFound."""
    query = sa.select(aggregates).where(_A.id == aggregate_id)
    found = row(connection, query.with_for_update() if lock else query)
    if found is None:
        raise AggregateNotFound(aggregate_id=aggregate_id)
    hosts = connection.scalars(sa.select(_H.host).where(_H.aggregate_id == aggregate_id).order_by(_H.host))
    return _whole(found, list(hosts))


def create(connection: Connection, values: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    """Raises AggregateNameExists."""
    statement = aggregates.insert().values(metadata=codec.text(metadata), **values)
    try:
        with connection.begin_nested():
            key = connection.execute(statement).inserted_primary_key
    except IntegrityError:
        raise AggregateNameExists(name=values["name"]) from None
    return find(connection, int(key[0]))  # type: ignore[index]  # an insert of one row has a key


def update(connection: Connection, aggregate_id: int, values: Mapping[str, Any]) -> None:
    """Change columns; ``metadata`` is given parsed. Raises AggregateNameExists."""
    columns = dict(values)
    if "metadata" in columns:
        columns["metadata"] = codec.text(columns["metadata"])
    try:
        with connection.begin_nested():
            connection.execute(aggregates.update().where(_A.id == aggregate_id).values(**columns))
    except IntegrityError:
        raise AggregateNameExists(name=values["name"]) from None


def delete(connection: Connection, aggregate_id: int) -> None:
    """Remove an aggregate."""
    connection.execute(aggregates.delete().where(_A.id == aggregate_id))


def add_host(connection: Connection, aggregate_id: int, host: str) -> None:
    """Raises AggregateHostExists."""
    try:
        with connection.begin_nested():
            connection.execute(aggregate_hosts.insert().values(aggregate_id=aggregate_id, host=host))
    except IntegrityError:
        raise AggregateHostExists(aggregate_id=aggregate_id, host=host) from None


def remove_host(connection: Connection, aggregate_id: int, host: str) -> None:
    """Raises AggregateHostNotFound."""
    mine = aggregate_hosts.delete().where(_H.aggregate_id == aggregate_id, _H.host == host)
    if not connection.execute(mine).rowcount:
        raise AggregateHostNotFound(aggregate_id=aggregate_id, host=host)


def forget_host(connection: Connection, host: str) -> None:
    """The host is no more: it is in no aggregate and in no cell."""
    connection.execute(aggregate_hosts.delete().where(_H.host == host))
    connection.execute(host_mappings.delete().where(host_mappings.c.host == host))


def zones(connection: Connection) -> dict[str, str]:
    """Host → availability zone, for hosts that are in one; one statement."""
    query = sa.select(_H.host, _A.metadata).join(aggregates, _A.id == _H.aggregate_id).order_by(_A.id)
    found: dict[str, str] = {}
    parsed: dict[str, str | None] = {}
    for host, text in connection.execute(query):
        if text not in parsed:
            parsed[text] = codec.loads(text).get(ZONE)
        zone = parsed[text]
        if zone:
            found.setdefault(host, zone)
    return found


def zones_elsewhere(connection: Connection, aggregate_id: int, hosts: Sequence[str]) -> dict[str, str]:
    """Host → its zone, as other aggregates than this one make it."""
    query = (
        sa.select(_H.host, _A.metadata)
        .join(aggregates, _A.id == _H.aggregate_id)
        .where(_H.host.in_(hosts), _A.id != aggregate_id)
    )
    found = {host: codec.loads(text).get(ZONE) for host, text in connection.execute(query)}
    return {host: zone for host, zone in found.items() if zone}
