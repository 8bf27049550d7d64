"""Block devices of servers, and the list of attached volumes that a server's row keeps for its documents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.kit.db.rows import Row, rows
from kilonova.store import servers
from kilonova.store.cell_tables import block_devices

_D = block_devices.c
_OF_SERVER = sa.select(block_devices).where(_D.server_uuid == sa.bindparam("server")).order_by(_D.id)


def of_server(connection: Connection, server_uuid: str) -> list[BlockDevice]:
    """The server's devices, oldest first."""
    return [_device(row) for row in rows(connection, _OF_SERVER, {"server": server_uuid})]


def of_volume(connection: Connection, volume_id: str) -> list[tuple[str, BlockDevice]]:
    """Servers that have the volume, each with its device."""
    found = rows(connection, sa.select(block_devices).where(_D.volume_id == volume_id).order_by(_D.id))
    return [(row["server_uuid"], _device(row)) for row in found]


def of_servers(connection: Connection, server_uuids: Collection[str]) -> dict[str, list[BlockDevice]]:
    """Server → devices."""
    query = sa.select(block_devices).where(_D.server_uuid.in_(server_uuids)).order_by(_D.id)
    found: dict[str, list[BlockDevice]] = {}
    for row in rows(connection, query):
        found.setdefault(row["server_uuid"], []).append(_device(row))
    return found


def insert(connection: Connection, server_uuid: str, devices: Sequence[BlockDevice], now: str) -> None:
    """Write new devices of one server."""
    insert_many(connection, [(server_uuid, device) for device in devices], now)


def insert_many(connection: Connection, devices: Sequence[tuple[str, BlockDevice]], now: str) -> None:
    """Write new devices of several servers in one statement; ``refresh`` servers whose row was there before."""
    if devices:
        values = [{**_values(asdict(d)), "server_uuid": s, "created_at": now, "updated_at": now} for s, d in devices]
        connection.execute(block_devices.insert(), values)


def update(connection: Connection, server_uuid: str, uuid: str, values: Row, now: str) -> bool:
    """Change a device and what the server's row says of it; False when the device is gone."""
    mine = (_D.server_uuid == server_uuid, _D.uuid == uuid)
    changed = connection.execute(block_devices.update().where(*mine).values(**_values(values), updated_at=now)).rowcount
    if changed and {"volume_id", "delete_on_termination"} & values.keys():
        refresh(connection, server_uuid, now)
    return bool(changed)


def remove(connection: Connection, server_uuid: str, uuid: str, now: str) -> None:
    """The server no longer has the device; none is fine."""
    connection.execute(block_devices.delete().where(_D.server_uuid == server_uuid, _D.uuid == uuid))
    refresh(connection, server_uuid, now)


def remove_all(connection: Connection, server_uuid: str, now: str) -> None:
    """The server has no devices any more."""
    if connection.execute(block_devices.delete().where(_D.server_uuid == server_uuid)).rowcount:
        refresh(connection, server_uuid, now)


def refresh(connection: Connection, server_uuid: str, now: str) -> None:
    """Bring the server's own list of volumes up to date."""
    servers.update(connection, server_uuid, {"updated_at": now})  # holds the row: others who bring it up to date wait
    servers.update(connection, server_uuid, {"volumes": shown(of_server(connection, server_uuid))})


def shown(devices: Sequence[BlockDevice]) -> str:
    """The ``volumes`` column: what documents tell of attached volumes."""
    found = [
        {"id": device.volume_id, "delete_on_termination": device.delete_on_termination}
        for device in devices
        if device.is_volume and device.volume_id
    ]
    return codec.text(found)


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(values)
    if plain.get("connection_info") is not None:
        plain["connection_info"] = codec.text(plain["connection_info"])
    return plain


def _device(row: Row) -> BlockDevice:
    return BlockDevice.of({**row, "connection_info": codec.loads(row["connection_info"])})
