"""``nova-manage volume_attachment``."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kilonova.cli.manage.deployment import Deployment, Ended, Group, NoServer
from kilonova.cli.table import table
from kilonova.domain.block_device import BlockDevice
from kilonova.domain.server import SHELVED, SHELVED_OFFLOADED, STOPPED
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.services.compute import driver_of
from kilonova.services.process import ProcessOptions
from kilonova.store import block_devices, servers
from kilonova.store.cells import Cell

_STILL = (STOPPED, SHELVED, SHELVED_OFFLOADED)


def commands(group: Group) -> None:
    """Declare the subcommands."""
    add = group("volume_attachment", "attachments of volumes")
    own = add("get_connector", get_connector, "print how the volume service reaches this compute host")
    own.add_argument("--json", action="store_true", help="JSON, for refresh")
    one = add("show", show, "print the record of an attachment")
    one.add_argument("instance_uuid", metavar="INSTANCE")
    one.add_argument("volume_id", metavar="VOLUME")
    one.add_argument("--json", action="store_true")
    renew = add("refresh", refresh, "renew the connection information of an attachment")
    renew.add_argument("instance_uuid", metavar="INSTANCE")
    renew.add_argument("volume_id", metavar="VOLUME")
    renew.add_argument("connector_path", metavar="CONNECTOR_FILE", help="what get_connector --json said on its host")


def get_connector(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error."""
    options = deployment.configuration.section(ProcessOptions)
    driver = driver_of(deployment.configuration, options, deployment.others.images)
    _print(dict(driver.connector()), as_json=arguments.json)
    return 0


def _print(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(codec.text(found))
        return
    print(table(("Property", "Value"), [(name, _word(value)) for name, value in found.items()]))


def _word(value: Any) -> str:
    return codec.text(value) if isinstance(value, dict | list) else str(value)


def show(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error; 2 no such server; 3 the volume is not attached to it."""
    try:
        cell, server = deployment.server(arguments.instance_uuid)
    except NoServer as error:
        print(error)
        return 2
    device = _device(cell, server["uuid"], arguments.volume_id)
    if device is None:
        print(f"Volume {arguments.volume_id} is not attached to instance {server['uuid']}.")
        return 3
    _print({"instance_uuid": server["uuid"], **asdict(device)}, as_json=arguments.json)
    return 0


def _device(cell: Cell, uuid: str, volume_id: str) -> BlockDevice | None:
    with cell.database.read() as connection:
        found = block_devices.of_server(connection, uuid)
    return next((device for device in found if device.volume_id == volume_id), None)


def refresh(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """The server is locked meanwhile. A new attachment takes the place of the old one, so the volume is never free.

    Exit codes: 0 done; 1 error; 2 no connector file; 3 it cannot be read; 4 no such server; 5 the server must be
    stopped or shelved, and unlocked; 6 the volume is not attached; 7 the connector is another host's.
    """
    connector = _read(Path(arguments.connector_path))
    try:
        cell, server = deployment.server(arguments.instance_uuid)
    except NoServer as error:
        raise Ended(str(error), 4) from error
    device = _refreshable(cell, server, arguments.volume_id, connector["host"])
    if not _lock(cell, server, locked_by="admin"):
        raise Ended(f"Instance {server['uuid']} changed in this moment.", 5)
    try:
        _renew(deployment, cell, server["uuid"], device, connector)
    finally:
        with cell.database.write() as connection:
            servers.update(connection, server["uuid"], {"locked_by": None})
    return 0


def _read(path: Path) -> dict[str, Any]:
    """A connector. Raises Ended."""
    if not path.is_file():
        raise Ended(f"File not found: {path}", 2)
    try:
        found = codec.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Ended(f"Failed to read connector from file: {path}", 3) from error
    if not isinstance(found, dict) or "host" not in found:
        raise Ended(f"File {path} has no connector", 3)
    return found


def _refreshable(cell: Cell, server: Mapping[str, Any], volume_id: str, host: str) -> BlockDevice:
    """The device. Raises Ended."""
    uuid = server["uuid"]
    if server["vm_state"] not in _STILL or server["task_state"] or server["locked_by"]:
        raise Ended(f"Instance {uuid} must be stopped or shelved, unlocked, and without a task under way.", 5)
    device = _device(cell, uuid, volume_id)
    if device is None or device.attachment_id is None:
        raise Ended(f"Volume {volume_id} is not attached to instance {uuid}.", 6)
    if server["host"] not in (None, host):
        raise Ended(f"The connector is host {host}'s, the instance is on {server['host']}.", 7)
    return device


def _lock(cell: Cell, server: Mapping[str, Any], *, locked_by: str) -> bool:
    with cell.database.write() as connection:
        return servers.update(connection, server["uuid"], {"locked_by": locked_by}, servers.idle())


def _renew(deployment: Deployment, cell: Cell, uuid: str, device: BlockDevice, connector: Mapping[str, Any]) -> None:
    volumes = deployment.others.volumes
    # Connected at once: Cinder refuses to do so later, beside the old one.
    fresh = volumes.reserve(device.volume_id, uuid, {**connector, "mountpoint": device.device_name})
    try:
        info = {**fresh.connection_info}
        if volumes.get(None, device.volume_id).multiattach:
            info["multiattach"] = True
        volumes.complete(fresh.id)
        with cell.database.write() as connection:
            changes = {"attachment_id": fresh.id, "connection_info": info}
            block_devices.update(connection, uuid, device.uuid, changes, stamp(datetime.now(UTC)))
    except BaseException:
        volumes.release(fresh.id)
        raise
    volumes.release(device.attachment_id)
