"""``placement-manage``: the placement database from the command line."""

import argparse
import sys
from collections.abc import Callable, Sequence

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError
from kilonova.placement.store.importing import import_from
from kilonova.placement.store.sync import SCHEMA, sync
from kilonova.services.placement_api import open_database, read_configuration

_BAD_INPUT = 127
_Command = Callable[[Database, argparse.Namespace], int]


def _sync(database: Database, _arguments: argparse.Namespace) -> int:
    sync(database)
    return 0


def _version(database: Database, _arguments: argparse.Namespace) -> int:
    print(SCHEMA.version(database))
    return 0


def _stamp(database: Database, arguments: argparse.Namespace) -> int:
    SCHEMA.stamp(database, arguments.version)
    return 0


def _online(_database: Database, arguments: argparse.Namespace) -> int:
    """No revision so far leaves data behind to convert."""
    if arguments.max_count is not None and arguments.max_count <= 0:
        sys.stderr.write("placement-manage: --max-count must be a positive number\n")
        return _BAD_INPUT
    print("No data migrations are pending.")
    return 0


def _import(database: Database, arguments: argparse.Namespace) -> int:
    if arguments.batch <= 0:
        sys.stderr.write("placement-manage: --batch must be a positive number\n")
        return _BAD_INPUT
    source = Database(DatabaseOptions(connection=arguments.source))
    import_from(source, database, batch=arguments.batch, progress=print)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="placement-manage", allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    categories = parser.add_subparsers(dest="category", required=True)
    database = categories.add_parser("db", help="the database")
    commands = database.add_subparsers(dest="command", required=True)

    def add(name: str, run: _Command, text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text, allow_abbrev=False)
        found.set_defaults(run=run)
        return found

    add("sync", _sync, "migrate the schema, add standard traits and resource classes")
    add("version", _version, "print the schema's revision")
    add("stamp", _stamp, "record a revision without migrating").add_argument("version")
    online = add("online_data_migrations", _online, "run pending data migrations")
    online.add_argument("--max-count", type=int, help="convert at most so many rows")
    copy = categories.add_parser("import", help="copy the database of the reference service (release 16.0.0)")
    copy.set_defaults(run=_import)
    copy.add_argument("--from", dest="source", metavar="URL", required=True, help="its SQLAlchemy URL; it is only read")
    copy.add_argument("--batch", type=int, default=1000, help="providers or consumers in one transaction")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done; 1 failed; 127 bad input."""
    arguments = _parser().parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        database = open_database(read_configuration("placement-manage", [*files, *folders]))
        run: _Command = arguments.run
        return run(database, arguments)
    except KilonovaError as error:
        sys.stderr.write(f"placement-manage: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
