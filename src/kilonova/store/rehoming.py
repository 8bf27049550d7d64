"""All rows of a server that leaves cell0, as they are copied and removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.db.rows import Row, row, rows
from kilonova.store.cell_tables import block_devices, operations, servers, steps


class _Changed(Exception):
    """Somebody has changed what is to be removed."""


@dataclass(frozen=True)
class Belongings:
    """A server that was never on a host has nothing else."""

    server: Row
    devices: list[Row]
    operations: list[Row]
    steps: list[Row]


def read(connection: Connection, uuid: str) -> Belongings | None:
    """None when there is no living server."""
    server = row(connection, sa.select(servers).where(servers.c.uuid == uuid, servers.c.deleted == 0))
    if server is None:
        return None
    devices = rows(connection, sa.select(block_devices).where(block_devices.c.server_uuid == uuid))
    own = rows(connection, sa.select(operations).where(operations.c.server_uuid == uuid).order_by(operations.c.seq))
    known = [operation["id"] for operation in own]
    done = rows(connection, sa.select(steps).where(steps.c.operation_id.in_(known)).order_by(steps.c.id))
    return Belongings(server, devices, own, done)


def write(connection: Connection, found: Belongings, moving: str, until: str) -> None:
    """Copies in place of any earlier ones. The operation that moves waits ``until`` a moment before it may be taken."""
    forget(connection, found.server["uuid"])
    server = _without(found.server, "id")
    connection.execute(servers.insert().values(**{**server, "revision": server["revision"] + 1}))
    for device in found.devices:
        connection.execute(block_devices.insert().values(**_without(device, "id")))
    for operation in found.operations:
        values = _without(operation, "seq")
        if operation["id"] == moving:
            values |= {"state": "queued", "owner": None, "lease_until": until}
        connection.execute(operations.insert().values(**values))
    for step in found.steps:
        connection.execute(steps.insert().values(**_without(step, "id")))


def remove(connection: Connection, found: Belongings, moving: str, owner: str) -> bool:
    """Take the originals away; False, and nothing is, when they are not what was found, or not ours any more."""
    try:
        with connection.begin_nested():
            _remove(connection, found, moving, owner)
    except _Changed:
        return False
    return True


def _remove(connection: Connection, found: Belongings, moving: str, owner: str) -> None:
    uuid, known = found.server["uuid"], [operation["id"] for operation in found.operations]
    same = (servers.c.uuid == uuid, servers.c.revision == found.server["revision"])
    if not connection.execute(servers.delete().where(*same)).rowcount:
        raise _Changed
    mine = (operations.c.id == moving, operations.c.owner == owner, operations.c.state == "running")
    wanted = (*mine, operations.c.cancel.is_(sa.false()))
    if not connection.execute(operations.delete().where(*wanted)).rowcount:
        raise _Changed
    connection.execute(operations.delete().where(operations.c.server_uuid == uuid))
    connection.execute(steps.delete().where(steps.c.operation_id.in_(known)))
    connection.execute(block_devices.delete().where(block_devices.c.server_uuid == uuid))


def forget(connection: Connection, uuid: str) -> None:
    """Remove copies."""
    copied = sa.select(operations.c.id).where(operations.c.server_uuid == uuid)
    connection.execute(steps.delete().where(steps.c.operation_id.in_(copied)))
    connection.execute(operations.delete().where(operations.c.server_uuid == uuid))
    connection.execute(block_devices.delete().where(block_devices.c.server_uuid == uuid))
    connection.execute(servers.delete().where(servers.c.uuid == uuid))


def living(connection: Connection, uuid: str) -> bool | None:
    """Whether the server lives; None when there is no row of it."""
    deleted = connection.scalar(sa.select(servers.c.deleted).where(servers.c.uuid == uuid))
    return None if deleted is None else deleted == 0


def _without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}
