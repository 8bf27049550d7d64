"""``nova-manage cell_v2``: which hosts and servers belong to which cell."""

import argparse
from collections.abc import Callable

from kilonova.cli.manage.deployment import Deployment, Group, Row
from kilonova.cli.table import table
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError
from kilonova.store import archive, cells, host_mappings, mapped, servers
from kilonova.store.cells import CELL0

_AT_ONCE = 50
_BAD_INPUT = 127


def commands(group: Group) -> None:
    """Declare the subcommands."""
    add = group("cell_v2", "cells, their hosts and servers")
    fresh = add("discover_hosts", discover_hosts, "map new compute hosts to their cells")
    fresh.add_argument("--cell_uuid", metavar="UUID", help="only in this cell")
    fresh.add_argument("--verbose", action="store_true")
    fresh.add_argument("--strict", action="store_true", help="exit code 1 when there is no new host")
    fresh.add_argument("--by-service", action="store_true", help="find hosts by their service, not their nodes")
    listing = add("list_hosts", list_hosts, "table of mapped hosts")
    listing.add_argument("--cell_uuid", metavar="UUID", help="only of this cell")
    delete = add("delete_host", delete_host, "unmap a host that has no servers")
    delete.add_argument("--cell_uuid", required=True, metavar="UUID")
    delete.add_argument("--host", required=True)
    instances = add("map_instances", map_instances, "map servers of a cell that are not mapped", failure=255)
    instances.add_argument("--cell_uuid", required=True, metavar="UUID")
    instances.add_argument("--max-count", type=int, metavar="N", help="map so many servers at most")
    instances.add_argument("--reset", action="store_true", help="accepted: every run begins with the first server")
    verify = add("verify_instance", verify_instance, "tell which cell a server is in")
    verify.add_argument("--uuid", required=True)
    verify.add_argument("--quiet", action="store_true", help="no words, the exit code alone")


# -- hosts --
def discover_hosts(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 done; 1 an unknown or unreachable cell, or nothing new with --strict; 2 another run was quicker."""
    wanted = [row for row in _mappings(deployment) if row["uuid"] != CELL0]
    if arguments.cell_uuid:
        wanted = [row for row in wanted if row["uuid"] == arguments.cell_uuid]
        if not wanted:
            print(f"Cell with uuid {arguments.cell_uuid} was not found.")
            return 1
    say: Callable[[str], None] = print if arguments.verbose else lambda _line: None
    say(f"Found {len(wanted)} cell mappings.")
    total = 0
    for row in wanted:
        say(f"Getting computes from cell '{row['name'] or row['uuid']}': {row['uuid']}")
        try:
            hosts = discover(deployment, row, by_service=arguments.by_service)
        except host_mappings.RacedWithAnother as error:
            print(f"ERROR: {error}")
            return 2
        except KilonovaError as error:
            print(f"ERROR: cell {row['uuid']}: {error}")
            return 1
        for host in hosts:
            say(f"Checking host mapping for compute host '{host}': {row['uuid']}")
            say(f"Creating host mapping for compute host '{host}': {row['uuid']}")
        say(f"Found {len(hosts)} unmapped computes in cell: {row['uuid']}")
        total += len(hosts)
    return 1 if arguments.strict and not total else 0


def _mappings(deployment: Deployment) -> list[Row]:
    """All cells, what their URLs leave open filled."""
    return [dict(row) for row in cells.mappings(deployment.api, deployment.connection or "", deployment.transport_url)]


def discover(deployment: Deployment, row: Row, *, by_service: bool) -> list[str]:
    """Map the cell's unmapped hosts; returns them. Raises RacedWithAnother, DatabaseUnavailable."""
    database = Database(DatabaseOptions(connection=row["database_connection"]))
    try:
        with database.read() as connection:
            there = host_mappings.in_cell(connection, by_service=by_service)
    finally:
        database.dispose()
    return host_mappings.add_new(deployment.api, row["id"], there)


def list_hosts(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 listed; 1 unknown cell."""
    cell = deployment.mapping(arguments.cell_uuid) if arguments.cell_uuid else None
    if arguments.cell_uuid and cell is None:
        print(f"Cell with uuid {arguments.cell_uuid} was not found.")
        return 1
    with deployment.api.read() as api:
        found = mapped.hosts(api, cell["id"] if cell else None)
    rows = [(row["name"] or "", row["uuid"], row["host"]) for row in found]
    print(table(("Cell Name", "Cell UUID", "Hostname"), rows))
    return 0


def delete_host(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 unmapped; 1 unknown cell; 2 unknown host; 3 the host is in another cell; 4 it has servers."""
    cell = deployment.mapping(arguments.cell_uuid)
    if cell is None:
        print(f"Cell with uuid {arguments.cell_uuid} was not found.")
        return 1
    with deployment.api.read() as api:
        place = host_mappings.all_hosts(api).get(arguments.host)
    if place is None:
        print(f"The host {arguments.host} was not found.")
        return 2
    if place != cell["id"]:
        print(f"The host {arguments.host} was not found in the cell {arguments.cell_uuid}.")
        return 3
    with deployment.store.cell(place).database.read() as connection:
        has = servers.on_host(connection, arguments.host)
    if has:
        print(f"There are instances on the host {arguments.host}.")
        return 4
    with deployment.api.write() as api:
        mapped.remove_host(api, arguments.host)
    return 0


# -- servers --
def map_instances(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """A server is mapped when it is accepted, so this finds something only after the API database was restored.

    What the servers that it maps use is counted for their projects.

    Exit codes: 0 all are mapped; 1 there are more to map; 127 bad --max-count; 255 error.
    """
    if arguments.max_count is not None and arguments.max_count <= 0:
        print("--max-count must be a positive number")
        return _BAD_INPUT
    found = deployment.mapping(arguments.cell_uuid)
    if found is None:
        raise cells.CellNotFound(cell=arguments.cell_uuid)
    database = deployment.store.cell(found["id"]).database
    left, marker = arguments.max_count, ""
    while True:
        with database.read() as connection:
            page = mapped.servers_after(connection, marker, _AT_ONCE)
        with deployment.api.write() as api:
            fresh = mapped.unmapped(api, page)
            mapped.map_servers(api, found["id"], fresh[:left])
        if left is not None and len(fresh) > left:
            return 1
        if not page:
            return 0
        left = None if left is None else left - len(fresh)
        marker = page[-1]["uuid"]


def verify_instance(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Where it is mapped to, and whether it is there.

    Exit codes: 0 the server is in the cell it is mapped to; 1 it is not mapped; 2 its cell has no such server (it is
    being accepted, or that was broken off, which conductors see to); 3 it is deleted but mapped; 4 archived but mapped.
    """
    say: Callable[[str], None] = print if not arguments.quiet else lambda _line: None
    with deployment.api.read() as api:
        found = mapped.mapping(api, arguments.uuid)
    if found is None:
        say(f"Instance {arguments.uuid} is not mapped to a cell (upgrade is incomplete) or instance does not exist")
        return 1
    cell = deployment.store.cell(found["cell_id"])
    with cell.database.read() as connection:
        row = servers.get(connection, arguments.uuid, deleted=True)
        archived = archive.is_archived(connection, arguments.uuid)
    if archived:
        say(f"Instance {arguments.uuid} has been archived in cell {cell.name}, and is still mapped")
        return 4
    if row is None:
        say(f"Instance {arguments.uuid} is mapped to cell {cell.name}, which has no such instance")
        return 2
    if row["deleted"]:
        say(f"Instance {arguments.uuid} has been deleted in cell {cell.name}, and is still mapped")
        return 3
    say(f"Instance {arguments.uuid} is in cell: {cell.name} ({cell.uuid})")
    return 0
