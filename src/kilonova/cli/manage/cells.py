"""``nova-manage cell_v2``: cells. Their hosts and servers are in ``hosts``."""

import argparse
import re
import uuid as uuids

from kilonova.cli.manage.deployment import Deployment, Group, Row
from kilonova.cli.manage.hosts import discover
from kilonova.cli.table import table
from kilonova.store import cells, host_mappings, mapped
from kilonova.store.cells import CELL0

_PASSWORD = re.compile(r"(?<=:)[^:/@,]+(?=@)")
_NO_BROKER = "none:///"
"""Transport URL of cell0: it has no services."""
_TEMPLATE = "; {username}, {password}, {hostname}, {port}, {path}, {query} are filled from the configured URL"


def commands(group: Group) -> None:
    """Declare the subcommands."""
    add = group("cell_v2", "cells, their hosts and servers")
    cell0 = add("map_cell0", map_cell0, "register cell0")
    cell0.add_argument(
        "--database_connection", metavar="URL", help=f"default: [database] connection with _cell0 added{_TEMPLATE}"
    )
    create = add("create_cell", create_cell, "register a cell")
    create.add_argument("--name")
    create.add_argument("--database_connection", metavar="URL", help=f"default: [database] connection{_TEMPLATE}")
    create.add_argument("--transport-url", metavar="URL", help=f"default: [DEFAULT] transport_url{_TEMPLATE}")
    create.add_argument("--verbose", action="store_true", help="print the cell's UUID")
    create.add_argument("--disabled", action="store_true", help="choose no hosts in the cell for now")
    listing = add("list_cells", list_cells, "table of cells")
    listing.add_argument("--verbose", action="store_true", help="show passwords too")
    change = add("update_cell", update_cell, "change a cell")
    change.add_argument("--cell_uuid", required=True, metavar="UUID")
    change.add_argument("--name")
    change.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    change.add_argument("--database_connection", metavar="URL", help="default: [database] connection")
    change.add_argument("--disable", action="store_true", help="choose no hosts in the cell")
    change.add_argument("--enable", action="store_true", help="choose hosts in the cell again")
    delete = add("delete_cell", delete_cell, "remove a cell's mapping")
    delete.add_argument("--cell_uuid", required=True, metavar="UUID")
    delete.add_argument("--force", action="store_true", help="although hosts or deleted servers are mapped to it")
    simple = add("simple_cell_setup", simple_cell_setup, "cell0, one cell and its hosts at once")
    simple.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    both = add("map_cell_and_hosts", map_cell_and_hosts, "create a cell and map all its hosts")
    both.add_argument("--transport-url", metavar="URL", help="default: [DEFAULT] transport_url")
    both.add_argument("--name")
    both.add_argument("--verbose", action="store_true", help="print the cell's UUID")


def map_cell0(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 registered, also when it was already; 1 the configured database is not known."""
    if deployment.mapping(CELL0) is not None:
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
    """Exit codes: 0 done; 1 a URL is missing; 2 there is such a cell."""
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
    """Passwords are masked without --verbose. Exit codes: 0 listed."""

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
    """Exit codes: 0 done; 1 no transport URL, or no hosts."""
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
    """A cell that is there already is taken. Exit codes: 0 done; 1 no transport URL."""
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
        found = deployment.mapping(found["uuid"]) or found
    if not discover(deployment, found, by_service=False):
        print("All hosts are already mapped to cell(s).")
    if arguments.verbose:
        print(found["uuid"])
    return 0


def update_cell(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """URLs that are not given become the configured ones; running services follow within ten seconds.

    Exit codes: 0 changed; 1 unknown cell; 2 no URL to set; 3 another cell has the URLs; 4 both --enable and --disable;
    5 cell0 cannot be disabled.
    """
    found = deployment.mapping(arguments.cell_uuid)
    if found is None:
        return _say(f"Cell with uuid {arguments.cell_uuid} was not found.", 1)
    transport = arguments.transport_url or deployment.transport_url
    connection = arguments.database_connection or deployment.connection
    if not transport or not connection:
        return _say("There is no URL to set: give --transport-url and --database_connection, or configure them.", 2)
    if arguments.enable and arguments.disable:
        return _say("A cell cannot be enabled and disabled at the same time.", 4)
    if arguments.disable and found["uuid"] == CELL0:
        return _say("Cell0 cannot be disabled.", 5)
    values = {"uuid": found["uuid"], "name": arguments.name or found["name"]}
    values |= {"transport_url": transport, "database_connection": connection}
    other = _same(deployment, connection, transport)
    if other is not None and other["uuid"] != found["uuid"]:
        return _say(f"Cell {other['uuid']} has the transport_url or database_connection already.", 3)
    if arguments.enable or arguments.disable:
        values["disabled"] = arguments.disable
    cells.write_mapping(deployment.api, values)
    return 0


def delete_cell(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """The cell's own database is left alone.

    Exit codes: 0 removed; 1 unknown; 2 it has hosts; 3 it has servers; 4 deleted servers are mapped to it.
    --force removes what 2 and 4 are about; servers that live are never forgotten.
    """
    found = deployment.mapping(arguments.cell_uuid)
    if found is None:
        return _say(f"Cell with uuid {arguments.cell_uuid} was not found.", 1)
    with deployment.api.write() as api:
        has = mapped.holdings(api, found["id"])
        if has.hosts and not arguments.force:
            return _say(f"There are existing hosts mapped to cell with uuid {arguments.cell_uuid}.", 2)
        if has.living:
            return _say(f"There are existing instances mapped to cell with uuid {arguments.cell_uuid}.", 3)
        if has.gone and not arguments.force:
            return _say(
                f"There are instance mappings to cell with uuid {arguments.cell_uuid}, but all instances have been "
                "deleted in the cell.\nRun nova-manage db archive_deleted_rows, or use --force.",
                4,
            )
        mapped.remove_cell(api, found["id"])
    return 0


def _say(words: str, code: int) -> int:
    print(words)
    return code


def _mapped(deployment: Deployment) -> bool:
    with deployment.api.read() as api:
        return bool(host_mappings.all_hosts(api))


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
