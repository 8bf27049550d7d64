"""``nova-manage cell_v2``: cells and the hosts in them."""

import argparse
import re
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilonova.cli.table import table
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration
from kilonova.services.process import ProcessOptions
from kilonova.store import cells, host_mappings
from kilonova.store.cells import CELL0

_PASSWORD = re.compile(r"(?<=:)[^:/@,]+(?=@)")
_NO_BROKER = "none:///"
"""Transport URL of cell0: it has no services."""


@dataclass(frozen=True)
class Deployment:
    """What the commands work on."""

    api: Database
    connection: str | None
    """``[database] connection``."""
    transport_url: str | None

    @classmethod
    def of(cls, configuration: Configuration) -> "Deployment":
        """Raises DatabaseUnavailable without an API database."""
        return cls(
            api=Database(configuration.section(DatabaseOptions, "api_database")),
            connection=configuration.section(DatabaseOptions).connection,
            transport_url=configuration.section(ProcessOptions).transport_url,
        )


Row = dict[str, Any]
Command = Callable[[Deployment, argparse.Namespace], int]


def commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the subcommands; ``add(name, command, help)`` gives a parser for arguments."""
    cell0 = add("map_cell0", map_cell0, "register cell0")
    cell0.add_argument("--database_connection", metavar="URL", help="default: [database] connection with _cell0 added")
    create = add("create_cell", create_cell, "register a cell")
    create.add_argument("--name")
    create.add_argument("--database_connection", metavar="URL", help="default: [database] connection")
    create.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    create.add_argument("--verbose", action="store_true", help="print the cell's UUID")
    create.add_argument("--disabled", action="store_true", help="choose no hosts in the cell for now")
    listing = add("list_cells", list_cells, "table of cells")
    listing.add_argument("--verbose", action="store_true", help="show passwords too")
    simple = add("simple_cell_setup", simple_cell_setup, "cell0, one cell and its hosts at once")
    simple.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    discover = add("discover_hosts", discover_hosts, "map new compute hosts to their cells")
    discover.add_argument("--cell_uuid", metavar="UUID", help="only in this cell")
    discover.add_argument("--verbose", action="store_true")
    discover.add_argument("--strict", action="store_true", help="exit code 1 when there is no new host")
    discover.add_argument("--by-service", action="store_true", help="find hosts by their service, not their nodes")
    both = add("map_cell_and_hosts", map_cell_and_hosts, "create a cell and map all its hosts")
    both.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    both.add_argument("--name")
    both.add_argument("--verbose", action="store_true", help="print the cell's UUID")


def map_cell0(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 also when it is mapped already."""
    if _find(deployment, CELL0) is not None:
        print("Cell0 is already setup")
        return 0
    url = arguments.database_connection
    if url is None:
        if not deployment.connection:
            return _missing("--database_connection", "[database] connection")
        url = cells.cell0_url(deployment.connection)
    _write(deployment, {"uuid": CELL0, "name": "cell0", "database_connection": url, "transport_url": _NO_BROKER})
    return 0


def create_cell(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """1 without URLs, 2 when there is such a cell."""
    transport = arguments.transport_url or deployment.transport_url
    connection = arguments.database_connection or deployment.connection
    if not transport:
        return _missing("--transport-url", "[DEFAULT] transport_url")
    if not connection:
        return _missing("--database_connection", "[database] connection")
    if _same(deployment, connection, transport) is not None:
        print("Cell with the specified transport_url and/or database_connection combination already exists")
        return 2
    uuid = str(uuids.uuid4())
    values = {"name": arguments.name, "database_connection": connection, "transport_url": transport}
    _write(deployment, {"uuid": uuid, "disabled": arguments.disabled, **values})
    if arguments.verbose:
        print(uuid)
    return 0


def list_cells(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Passwords are masked without ``--verbose``."""

    def shown(url: str | None) -> str:
        return (url or "") if arguments.verbose else _PASSWORD.sub("****", url or "")

    rows = [
        (
            row["name"] or "",
            row["uuid"],
            shown(row["transport_url"]),
            shown(row["database_connection"]),
            str(row["disabled"]),
        )
        for row in sorted(cells.mappings(deployment.api), key=lambda row: (row["name"] or "", row["uuid"]))
    ]
    print(table(("Name", "UUID", "Transport URL", "Database Connection", "Disabled"), rows))
    return 0


def simple_cell_setup(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """1 without a transport URL or without hosts."""
    transport = arguments.transport_url or deployment.transport_url
    if not transport:
        return _missing("--transport-url", "[DEFAULT] transport_url")
    map_cell0(deployment, argparse.Namespace(database_connection=None))
    names = argparse.Namespace(transport_url=transport, name=None, verbose=False)
    code = map_cell_and_hosts(deployment, names)
    if code == 0 and not _mapped(deployment):
        print("No hosts found to map to cell, exiting.")
        return 1
    return code


def map_cell_and_hosts(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """1 without a transport URL. A cell that is there already is taken."""
    transport = arguments.transport_url or deployment.transport_url
    if not transport:
        return _missing("--transport-url", "[DEFAULT] transport_url")
    if not deployment.connection:
        return _missing("", "[database] connection")
    found = _same(deployment, deployment.connection, transport)
    if found is None:
        found = {"uuid": str(uuids.uuid4()), "name": arguments.name, "disabled": False}
        found |= {"database_connection": deployment.connection, "transport_url": transport}
        _write(deployment, found)
        found = _find(deployment, found["uuid"]) or found
    if not _discover(deployment, found, by_service=False):
        print("All hosts are already mapped to cell(s).")
    if arguments.verbose:
        print(found["uuid"])
    return 0


def discover_hosts(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0; 1 for an unknown or unreachable cell, or with ``--strict`` when nothing is new; 2 after a lost race."""
    wanted = [row for row in cells.mappings(deployment.api) if row["uuid"] != CELL0]
    if arguments.cell_uuid:
        wanted = [row for row in wanted if row["uuid"] == arguments.cell_uuid]
        if not wanted:
            print(f"Cell with uuid {arguments.cell_uuid} was not found.")
            return 1
    say: Callable[[str], None] = print if arguments.verbose else lambda _line: None
    say(f"Found {len(wanted)} cell mappings.")
    total = 0
    for row in wanted:
        say(f"Getting computes from cell '{row['name']}': {row['uuid']}")
        try:
            hosts = _discover(deployment, dict(row), by_service=arguments.by_service)
        except host_mappings.RacedWithAnother as error:
            print(f"ERROR: {error}")
            return 2
        except KilonovaError as error:
            print(f"ERROR: cell {row['uuid']}: {error}")
            return 1
        for host in hosts:
            say(f"Creating host mapping for compute host '{host}'")
        say(f"Found {len(hosts)} unmapped computes in cell: {row['uuid']}")
        total += len(hosts)
    return 1 if arguments.strict and not total else 0


def _discover(deployment: Deployment, row: Row, *, by_service: bool) -> list[str]:
    """Map the cell's unmapped hosts; returns them."""
    database = Database(DatabaseOptions(connection=row["database_connection"]))
    with database.read() as connection:
        there = host_mappings.in_cell(connection, by_service=by_service)
    database.dispose()
    with deployment.api.read() as api:
        known = host_mappings.all_hosts(api)
    fresh = [host for host in there if host not in known]
    with deployment.api.write() as api:
        host_mappings.add(api, row["id"], fresh)
    return fresh


def _mapped(deployment: Deployment) -> bool:
    with deployment.api.read() as api:
        return bool(host_mappings.all_hosts(api))


def _find(deployment: Deployment, uuid: str) -> Row | None:
    return next((dict(row) for row in cells.mappings(deployment.api) if row["uuid"] == uuid), None)


def _same(deployment: Deployment, connection: str, transport: str) -> Row | None:
    """A cell that has one of the URLs."""
    for row in cells.mappings(deployment.api):
        if row["uuid"] != CELL0 and (row["database_connection"] == connection or row["transport_url"] == transport):
            return dict(row)
    return None


def _write(deployment: Deployment, row: Row) -> None:
    cells.write_mapping(deployment.api, {"disabled": False, **row})


def _missing(argument: str, option: str) -> int:
    given = f"give {argument} or set {option}" if argument else f"set {option}"
    print(f"A URL is missing: {given}")
    return 1
