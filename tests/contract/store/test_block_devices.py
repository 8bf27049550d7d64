"""Disks of servers, and what the server's own row tells of its volumes."""

from dataclasses import replace

from sqlalchemy.engine import Connection
from tests.contract.store.conftest import Databases
from tests.contract.store.samples import LATER, NOW, add_servers, server

from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.store import block_devices, servers

ROOT = BlockDevice(uuid="d0", source_type="image", destination_type="local", boot_index=0, image_id="i")
DATA = BlockDevice(
    uuid="d1",
    source_type="volume",
    destination_type="volume",
    volume_id="v",
    connection_info={"driver_volume_type": "rbd", "data": {"name": "ä"}},
    tag="Tag",
)


def told(connection: Connection, uuid: str = "s") -> object:
    found = servers.get(connection, uuid)
    assert found is not None
    return codec.loads(found["volumes"])


def test_they_come_back_as_they_went(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s"), server("t"))
        block_devices.insert(connection, "s", [ROOT, DATA], NOW)
        block_devices.insert(connection, "t", [], NOW)
        shared = replace(DATA, uuid="d2")
        block_devices.insert_many(connection, [("t", shared)], NOW)
        assert block_devices.of_server(connection, "s") == [ROOT, DATA]
        assert block_devices.of_volume(connection, "v") == [("s", DATA), ("t", shared)]
        assert block_devices.of_servers(connection, ["s", "t", "x"]) == {"s": [ROOT, DATA], "t": [shared]}


def test_the_servers_row_follows(databases: Databases) -> None:
    with databases.cell.write() as connection:
        add_servers(connection, server("s"))
        block_devices.insert(connection, "s", [ROOT, DATA], NOW)
        block_devices.refresh(connection, "s", LATER)
        assert told(connection) == [{"id": "v", "delete_on_termination": False}]
        assert block_devices.shown([ROOT, DATA]) == codec.text(told(connection))
        assert block_devices.update(connection, "s", "d1", {"delete_on_termination": True}, LATER)
        assert told(connection) == [{"id": "v", "delete_on_termination": True}]
        assert block_devices.update(connection, "s", "d1", {"connection_info": None}, LATER)
        assert block_devices.of_server(connection, "s")[1].connection_info is None
        assert not block_devices.update(connection, "s", "none", {"tag": "x"}, LATER)
        block_devices.remove(connection, "s", "d1", LATER)
        assert told(connection) == []
        block_devices.remove_all(connection, "s", LATER)
        assert block_devices.of_server(connection, "s") == []
