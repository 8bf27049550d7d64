"""``nova-manage image_property`` and ``libvirt``: what is recorded of the image that a server was made of."""

import argparse
from collections.abc import Mapping
from typing import Any

from kilonova.cli.manage.deployment import Deployment, Group, NoServer
from kilonova.domain import image_properties, machine_type
from kilonova.domain.image_properties import BadImageProperty, UnknownImageProperty
from kilonova.domain.server import SHELVED, SHELVED_OFFLOADED, STOPPED
from kilonova.kit import codec
from kilonova.kit.errors import Conflict
from kilonova.store import mapped, servers
from kilonova.store.cells import Cell

_STILL = (STOPPED, SHELVED, SHELVED_OFFLOADED)
_AT_ONCE = 500


class Changed(Conflict):
    """Somebody began something with the server in this moment."""

    template = "Instance {uuid} changed in this moment; try again"


def commands(group: Group) -> None:
    """Declare the subcommands."""
    libvirt = group("libvirt", "guests of libvirt")
    libvirt("get_machine_type", get_machine_type, "print the recorded machine type").add_argument(
        "instance_uuid", metavar="INSTANCE"
    )
    change = libvirt("update_machine_type", update_machine_type, "record another machine type")
    change.add_argument("instance_uuid", metavar="INSTANCE")
    change.add_argument("machine_type", metavar="TYPE")
    change.add_argument("--force", action="store_true", help="whatever the state, and whatever the type was")
    unset = libvirt("list_unset_machine_type", list_unset_machine_type, "list servers without a recorded machine type")
    unset.add_argument("--cell_uuid", metavar="UUID", help="only of this cell")
    image = group("image_property", "stored image properties")
    one = image("show", show, "print one")
    one.add_argument("instance_uuid", metavar="INSTANCE")
    one.add_argument("image_property", metavar="PROPERTY")
    put = image("set", set_properties, "change some")
    put.add_argument("instance_uuid", metavar="INSTANCE")
    put.add_argument("--property", action="append", required=True, metavar="KEY=VALUE", dest="properties")


def _properties(server: Mapping[str, Any]) -> dict[str, Any]:
    image = codec.loads(server["image"]) if server["image"] else {}
    return dict(image.get("properties") or {})


def _write(cell: Cell, server: Mapping[str, Any], changes: Mapping[str, str], *, state: bool = True) -> None:
    """Raises Changed."""
    image = codec.loads(server["image"]) if server["image"] else {"id": None, "disk_format": "raw", "size": 0}
    image["properties"] = {**_properties(server), **changes}
    unchanged = (servers.idle(),) if state else ()
    with cell.database.write() as connection:
        if not servers.update(connection, server["uuid"], {"image": codec.text(image)}, *unchanged):
            raise Changed(uuid=server["uuid"])


def get_machine_type(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error; 2 no such server; 3 none is recorded."""
    return _show(deployment, arguments.instance_uuid, machine_type.PROPERTY, "No machine type registered for instance")


def show(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error; 2 no such server; 3 it is not set."""
    return _show(deployment, arguments.instance_uuid, arguments.image_property, "Image property not set for instance")


def _show(deployment: Deployment, uuid: str, name: str, none: str) -> int:
    try:
        _, server = deployment.server(uuid)
    except NoServer as error:
        print(error)
        return 2
    value = _properties(server).get(name)
    if value is None:
        print(f"{none} {uuid}")
        return 3
    print(value)
    return 0


def update_machine_type(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """A guest is made anew with the recorded type when it is next started.

    Exit codes: 0 recorded; 1 error; 2 no such server; 3 it is not stopped, shelved or shelved_offloaded; 4 the change
    is not allowed (another kind of machine, or an older version); 5 the type is too old.
    """
    try:
        cell, server = deployment.server(arguments.instance_uuid)
    except NoServer as error:
        print(error)
        return 2
    if machine_type.too_old(arguments.machine_type):
        print(f"The machine type {arguments.machine_type} is not supported any more.")
        return 5
    before = _properties(server).get(machine_type.PROPERTY)
    if not arguments.force:
        if server["vm_state"] not in _STILL:
            print(f"Instance {server['uuid']} is {server['vm_state']}: it has to be one of {', '.join(_STILL)}.")
            return 3
        if before and not machine_type.may_become(before, arguments.machine_type):
            print(f"Cannot change the machine type from {before} to {arguments.machine_type}.")
            return 4
    _write(cell, server, {machine_type.PROPERTY: arguments.machine_type}, state=not arguments.force)
    print(f"Updated instance {server['uuid']} machine type to {arguments.machine_type} (previously {before})")
    return 0


def list_unset_machine_type(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 there is none; 1 error; 2 unknown cell; 3 some are listed."""
    cells = deployment.store.cells
    if arguments.cell_uuid:
        cells = tuple(cell for cell in cells if cell.uuid == arguments.cell_uuid)
        if not cells:
            print(f"Cell with uuid {arguments.cell_uuid} was not found.")
            return 2
    unset = [uuid for cell in cells for uuid in without_machine_type(cell)]
    if not unset:
        print("No instances found without hw_machine_type set.")
        return 0
    print("\n".join(unset))
    return 3


def without_machine_type(cell: Cell) -> list[str]:
    """Living servers on hosts of the cell that have no recorded type."""
    found: list[str] = []
    marker = ""
    while True:
        with cell.database.read() as connection:
            page = mapped.servers_after(connection, marker, _AT_ONCE)
            living = servers.get_many(connection, [one["uuid"] for one in page if not one["deleted"]])
        if not page:
            return found
        found += [row["uuid"] for row in living if row["host"] and not _properties(row).get(machine_type.PROPERTY)]
        marker = page[-1]["uuid"]


def set_properties(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """They count when the guest is next made: at a start, a hard reboot, an unshelving.

    Exit codes: 0 changed; 1 error; 2 no such server; 3 it is not stopped, shelved or shelved_offloaded; 4 a name is not
    known; 5 a value does not fit.
    """
    try:
        cell, server = deployment.server(arguments.instance_uuid)
    except NoServer as error:
        print(error)
        return 2
    if server["vm_state"] not in _STILL:
        print(f"Instance {server['uuid']} is {server['vm_state']}: it has to be one of {', '.join(_STILL)}.")
        return 3
    changes = {}
    for pair in arguments.properties:
        name, _, value = pair.partition("=")
        try:
            image_properties.check(name, value)
        except UnknownImageProperty as error:
            print(error)
            return 4
        except BadImageProperty as error:
            print(error)
            return 5
        changes[name] = value
    _write(cell, server, changes)
    return 0
