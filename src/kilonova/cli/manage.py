"""``nova-manage``: databases and cells from the command line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from kilonova.cli import cells
from kilonova.kit import logs
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.migrate import Schema
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration, load
from kilonova.store.cells import API_SCHEMA, CELL0, CELL_SCHEMA, mappings

PROGRAM = "nova-manage"
_Command = Callable[[Configuration, argparse.Namespace], int]


def _api(configuration: Configuration) -> Database:
    return _database(configuration, "api_database")


def _database(configuration: Configuration, section: str) -> Database:
    options = configuration.section(DatabaseOptions, section)
    if not options.connection:
        raise KilonovaError(f"[{section}] connection is not set")
    return Database(options)


def _upgrade(schema: Schema, database: Database, arguments: argparse.Namespace) -> None:
    schema.upgrade(database, arguments.version or "head")


def api_db_sync(configuration: Configuration, arguments: argparse.Namespace) -> int:
    """Migrate the API database."""
    _upgrade(API_SCHEMA, _api(configuration), arguments)
    return 0


def api_db_version(configuration: Configuration, _arguments: argparse.Namespace) -> int:
    """Print its revision."""
    print(API_SCHEMA.version(_api(configuration)))
    return 0


def db_sync(configuration: Configuration, arguments: argparse.Namespace) -> int:
    """Migrate the cell database, and cell0's unless ``--local_cell``; 1 when cell0 cannot be reached."""
    _upgrade(CELL_SCHEMA, _database(configuration, "database"), arguments)
    if arguments.local_cell:
        return 0
    try:
        found = next((row for row in mappings(_api(configuration)) if row["uuid"] == CELL0), None)
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


def db_version(configuration: Configuration, _arguments: argparse.Namespace) -> int:
    """Print its revision."""
    print(CELL_SCHEMA.version(_database(configuration, "database")))
    return 0


def _version(_configuration: Configuration, _arguments: argparse.Namespace) -> int:
    print(metadata.version("kilonova"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    parser.add_argument("--debug", action="store_true", help="tell more")
    categories = parser.add_subparsers(dest="category", required=True, metavar="COMMAND")

    def group(name: str, text: str) -> Callable[..., argparse.ArgumentParser]:
        inner = categories.add_parser(name, help=text).add_subparsers(dest="command", required=True, metavar="ACTION")

        def add(command: str, run: object, words: str) -> argparse.ArgumentParser:
            found = inner.add_parser(command, help=words, allow_abbrev=False)
            found.set_defaults(run=run)
            return found

        return add

    api_db = group("api_db", "the API database")
    api_db("sync", api_db_sync, "migrate it").add_argument("version", nargs="?", metavar="VERSION")
    api_db("version", api_db_version, "print its revision")
    db = group("db", "the cell database")
    sync = db("sync", db_sync, "migrate it, and cell0's")
    sync.add_argument("--local_cell", action="store_true", help="leave cell0 alone")
    sync.add_argument("version", nargs="?", metavar="VERSION")
    db("version", db_version, "print its revision")
    cell = group("cell_v2", "cells and their hosts")

    def on_deployment(name: str, command: cells.Command, words: str) -> argparse.ArgumentParser:
        return cell(name, lambda conf, arguments: command(cells.Deployment.of(conf), arguments), words)

    cells.commands(on_deployment)
    categories.add_parser("version", help="print Kilonova's version").set_defaults(run=_version)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: those of the command; 1 when it cannot run, said in one line."""
    arguments = _parser().parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        configuration = load(PROGRAM, [*files, *folders])
        if arguments.debug:
            logs.set_up(configuration, PROGRAM, {"debug": True})
        run: _Command = arguments.run
        return run(configuration, arguments)
    except KilonovaError as error:
        return _refuse(error)


def _refuse(error: KilonovaError) -> int:
    sys.stderr.write(f"{PROGRAM}: {logs.blotted(str(error))}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
