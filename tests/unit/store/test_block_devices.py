from dataclasses import replace

from sqlalchemy.engine import Connection
from tests.unit.store.rows import NOW, server

from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.store import block_devices, servers

VOLUME = BlockDevice(
    uuid="d1",
    source_type="volume",
    destination_type="volume",
    volume_id="v1",
    device_name="/dev/vdb",
    connection_info={"driver_volume_type": "rbd", "data": {}},
)


def test_devices_and_what_the_servers_row_says_of_them(cell: Connection) -> None:
    one, two = server(1), server(2)
    servers.insert(cell, [one, two])
    image = replace(VOLUME, uuid="d2", source_type="image", volume_id=None, connection_info=None)
    block_devices.insert_many(cell, [(one["uuid"], VOLUME), (one["uuid"], image)], NOW)
    block_devices.insert(cell, two["uuid"], [replace(VOLUME, uuid="d3")], NOW)

    assert block_devices.of_server(cell, one["uuid"]) == [VOLUME, image]
    assert [s for s, _ in block_devices.of_volume(cell, "v1")] == [one["uuid"], two["uuid"]]
    assert {s: len(d) for s, d in block_devices.of_servers(cell, [one["uuid"]]).items()} == {one["uuid"]: 2}

    assert block_devices.update(cell, one["uuid"], "d2", {"volume_id": "v2", "delete_on_termination": True}, NOW)
    assert not block_devices.update(cell, two["uuid"], "d2", {"volume_id": "v2"}, NOW)
    row = servers.get(cell, one["uuid"])
    assert row is not None
    assert codec.loads(row["volumes"]) == [
        {"id": "v1", "delete_on_termination": False},
        {"id": "v2", "delete_on_termination": True},
    ]

    block_devices.remove(cell, one["uuid"], "d1", NOW)
    block_devices.remove(cell, one["uuid"], "d1", NOW)
    row = servers.get(cell, one["uuid"])
    assert row is not None
    assert codec.loads(row["volumes"]) == [{"id": "v2", "delete_on_termination": True}]
