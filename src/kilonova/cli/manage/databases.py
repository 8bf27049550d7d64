"""``nova-manage db`` and ``api_db``."""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from kilonova.cli.manage.deployment import Deployment, Group
from kilonova.cli.table import table
from kilonova.kit import logs
from kilonova.kit.clock import stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.migrate import Schema
from kilonova.kit.errors import KilonovaError
from kilonova.store import archive, nodes
from kilonova.store.cells import API_SCHEMA, CELL0, CELL_SCHEMA, Cell

_AT_ONCE = 100
"""Servers in one transaction."""
_BAD_INPUT = 127
_MOST = 2**31 - 1


def commands(group: Group) -> None:
    """Declare the subcommands."""
    api_db = group("api_db", "the API database")
    api_db("sync", api_sync, "migrate it").add_argument("version", nargs="?", metavar="VERSION")
    api_db("version", api_version, "print its revision")
    db = group("db", "the cell databases")
    sync_it = db("sync", sync, "migrate the cell database, and cell0's")
    sync_it.add_argument("--local_cell", action="store_true", help="leave cell0 alone")
    sync_it.add_argument("version", nargs="?", metavar="VERSION")
    db("version", version, "print its revision")
    away = db("archive_deleted_rows", archive_deleted_rows, "move deleted servers out of the way", failure=255)
    away.add_argument("--max_rows", type=int, default=1000, metavar="N", help="stop once so many rows are moved (1000)")
    away.add_argument("--before", metavar="DATE", help="only what was deleted before")
    away.add_argument("--verbose", action="store_true", help="print how many rows of each table")
    away.add_argument("--until-complete", action="store_true", help="go on until nothing is left to move")
    away.add_argument("--purge", action="store_true", help="then forget all that is archived")
    away.add_argument("--all-cells", action="store_true", help="in every cell, not [database] and cell0 alone")
    away.add_argument("--task-log", action="store_true", help="accepted; there is no task log to archive")
    away.add_argument("--sleep", type=int, default=0, metavar="S", help="seconds between batches of --until-complete")
    forget = db("purge", purge, "forget archived servers")
    forget.add_argument("--all", action="store_true", help="all of them")
    forget.add_argument("--before", metavar="DATE", help="those deleted before")
    forget.add_argument("--verbose", action="store_true", help="print how many")
    forget.add_argument("--all-cells", action="store_true", help="in every cell, not [database] and cell0 alone")
    online = db("online_data_migrations", online_data_migrations, "run pending data migrations")
    online.add_argument("--max-count", type=int, metavar="N", help="convert at most so many rows")
    move = db(
        "ironic_compute_node_move", ironic_compute_node_move, "give a bare metal node to another host", failure=255
    )
    move.add_argument("--ironic-node-uuid", required=True, metavar="UUID", dest="node")
    move.add_argument("--destination-host", required=True, metavar="HOST", dest="host")


# -- schemas --
def _upgrade(schema: Schema, database: Database, arguments: argparse.Namespace) -> None:
    schema.upgrade(database, arguments.version or "head")


def api_sync(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 done; 1 error."""
    _upgrade(API_SCHEMA, deployment.api, arguments)
    return 0


def api_version(deployment: Deployment, _arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error."""
    print(API_SCHEMA.version(deployment.api))
    return 0


def sync(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Exit codes: 0 done; 1 cell0 cannot be reached."""
    _upgrade(CELL_SCHEMA, deployment.database("database"), arguments)
    if arguments.local_cell:
        return 0
    try:
        found = deployment.mapping(CELL0)
        if found is not None:
            _upgrade(CELL_SCHEMA, Database(DatabaseOptions(connection=found["database_connection"])), arguments)
            return 0
        reason = "it is not mapped"
    except KilonovaError as error:
        reason = logs.blotted(str(error))
    print(
        f"ERROR: Could not access cell0: {reason}.\n"
        "Has the API database been migrated (nova-manage api_db sync)?\n"
        "Has cell0's database been created, and mapped (nova-manage cell_v2 map_cell0)?"
    )
    return 1


def version(deployment: Deployment, _arguments: argparse.Namespace) -> int:
    """Exit codes: 0 printed; 1 error."""
    print(CELL_SCHEMA.version(deployment.database("database")))
    return 0


# -- deleted servers --
def archive_deleted_rows(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """A server goes with all its rows, as one document, into the table archived_servers of its cell.

    Its mapping and its memberships of groups in the API database are removed. A server is moved whole, so the last one
    may pass --max_rows. Deleted servers whose operations still run stay.

    Exit codes: 0 nothing to do; 1 rows moved; 2 bad --max_rows; 3 no API database; 4 bad --before; 255 error.
    """
    if not 0 < arguments.max_rows <= _MOST:
        print(f"--max_rows must be from 1 to {_MOST}")
        return 2
    chosen = _chosen(deployment, arguments, bad_date=4, no_cells=3)
    if isinstance(chosen, int):
        return chosen
    before, cells = chosen
    moved: Counter[str] = Counter()
    for cell in cells:
        batch = _Batch(deployment.api, cell.database, before, arguments.max_rows)
        counts = batch.run()
        while counts and arguments.until_complete:
            moved.update(_named(counts, cell.name, everywhere=arguments.all_cells))
            time.sleep(max(arguments.sleep, 0))
            counts = batch.run()
        moved.update(_named(counts, cell.name, everywhere=arguments.all_cells))
    if arguments.verbose:
        rows = [(name, str(number)) for name, number in sorted(moved.items())]
        print(table(("Table", "Number of Rows Archived"), rows) if rows else "Nothing was archived.")
    if arguments.purge and moved:
        forgotten = sum(_forget(cell.database, before) for cell in cells)
        if arguments.verbose:
            print(f"Rows were archived, {forgotten} servers purged.")
    return 1 if moved else 0


def _chosen(
    deployment: Deployment, arguments: argparse.Namespace, *, bad_date: int, no_cells: int
) -> tuple[str | None, Sequence[Cell]] | int:
    """The moment of ``--before`` and the cells that are meant; else the exit code, and the reason is printed."""
    try:
        before = _moment(arguments.before)
    except ValueError as error:
        print(f"--before: {error}")
        return bad_date
    try:
        return before, deployment.cells(everywhere=arguments.all_cells)
    except KilonovaError as error:
        print(f"The API database cannot be used: {logs.blotted(str(error))}")
        return no_cells


@dataclass
class _Batch:
    api: Database
    cell: Database
    before: str | None
    most: int

    def run(self) -> Counter[str]:
        """Table → rows moved, until ``most`` are."""
        moved: Counter[str] = Counter()
        while moved.total() < self.most:
            with self.cell.read() as connection:
                uuids = archive.due(connection, self.before, min(_AT_ONCE, self.most - moved.total()))
            if not uuids:
                break
            # First the API database: a server that is mapped nowhere is found and archived by the next run.
            moved.update(self.api.transact(partial(archive.forget_mappings, uuids=uuids)))
            now = stamp(datetime.now(UTC))
            moved.update(self.cell.transact(partial(archive.archive, uuids=uuids, now=now)))
        return moved


def _named(counts: Counter[str], cell: str, *, everywhere: bool) -> dict[str, int]:
    return {f"{cell}.{name}" if everywhere else name: number for name, number in counts.items()}


def _forget(database: Database, before: str | None) -> int:
    return database.transact(lambda connection: archive.purge(connection, before))


def purge(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """What is forgotten cannot be had back.

    Exit codes: 0 some are forgotten; 1 neither --all nor --before; 2 bad --before; 3 nothing to do; 4 no API database.
    """
    if not arguments.all and not arguments.before:
        print("Give --all or --before")
        return 1
    chosen = _chosen(deployment, arguments, bad_date=2, no_cells=4)
    if isinstance(chosen, int):
        return chosen
    before, cells = chosen
    forgotten = {cell.name: _forget(cell.database, before) for cell in cells}
    if arguments.verbose:
        print(table(("Cell", "Number of Servers Purged"), [(name, str(number)) for name, number in forgotten.items()]))
    return 0 if sum(forgotten.values()) else 3


_FORMS: tuple[Callable[[str], datetime], ...] = (
    datetime.fromisoformat,
    *(
        lambda text, form=form: datetime.strptime(text, form)  # noqa: DTZ007  # the zone is set below
        for form in ("%b %d %Y", "%d %b %Y", "%B %d %Y", "%d %B %Y", "%b %d %Y %H:%M:%S", "%Y/%m/%d", "%m/%d/%Y")
    ),
)


def _moment(text: str | None) -> str | None:
    """A date as operators write it, UTC unless it says otherwise. Raises ValueError."""
    if text is None:
        return None
    for form in _FORMS:
        try:
            found = form(text.strip())
        except ValueError:
            continue
        return stamp(found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    raise ValueError(f"{text} is no date; as in 2026-11-21 or '2026-11-21 10:00'")


# -- data --
def online_data_migrations(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """No revision so far leaves data behind to convert: there is never anything to do.

    Exit codes: 0 nothing left; 1 some done, run again; 2 errors and no progress; 127 bad --max-count.
    """
    if arguments.max_count is not None and arguments.max_count <= 0:
        print("--max-count must be a positive number")
        return _BAD_INPUT
    with deployment.database("database").read(), deployment.api.read():
        print(table(("Migration", "Total Needed", "Completed"), [("(none is pending)", "0", "0")]))
    return 0


def ironic_compute_node_move(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """The node, and the servers on it, belong to the other host from now on; stop both hosts' nova-compute before.

    Exit codes: 0 done; 255 error (no such node, or no such host in its cell).
    """
    for cell in deployment.store.working:
        with cell.database.write() as connection:
            moved = nodes.give(connection, arguments.node, arguments.host)
        if moved is not None:
            print(f"Node {arguments.node} and {moved} servers are {arguments.host}'s")
            return 0
    raise nodes.NoSuchNode(node=arguments.node)
