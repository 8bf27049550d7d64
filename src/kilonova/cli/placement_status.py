"""``placement-status upgrade check``."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from kilonova.cli.upgrade_check import Check, Result, exit_code, report
from kilonova.kit import codec
from kilonova.kit.db.engine import Database
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration
from kilonova.kit.policy import policy_path
from kilonova.placement.api.options import PolicyOptions
from kilonova.placement.store.health import ownerless_allocations, rootless_providers
from kilonova.placement.store.sync import SCHEMA
from kilonova.services.placement_api import open_database, read_configuration

_CANNOT = 255


def _checks(configuration: Configuration) -> Iterator[Check]:
    database = open_database(configuration)
    present, newest = SCHEMA.version(database), SCHEMA.head()
    if present == newest:
        yield Check("Database Schema")
        yield from _data(database)
    else:
        words = f"the database is at revision {present}, this release needs {newest}: placement-manage db sync"
        yield Check("Database Schema", Result.FAILURE, words)
    yield _policy_file(policy_path(configuration, configuration.section(PolicyOptions).policy_file))


def _data(database: Database) -> Iterator[Check]:
    with database.read() as connection:
        rootless, ownerless = rootless_providers(connection), ownerless_allocations(connection)
    for name, number, what in (
        ("Missing Root Provider IDs", rootless, "resource providers do not know the root of their tree"),
        ("Incomplete Consumers", ownerless, "allocations have a consumer without a record"),
    ):
        yield Check(name, Result.FAILURE, f"{number} {what}: restore the database") if number else Check(name)


def _policy_file(path: Path | None) -> Check:
    name = "Policy File JSON to YAML Migration"
    try:
        codec.loads(path.read_bytes() if path else b"")
    except ValueError:
        return Check(name)
    return Check(name, Result.FAILURE, f"{path} is JSON: oslopolicy-convert-json-to-yaml makes YAML of it")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 fine; 1 warnings; 2 failures; 255 the checks could not be made."""
    parser = argparse.ArgumentParser(prog="placement-status", allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    commands = parser.add_subparsers(dest="category", required=True).add_parser("upgrade", help="before and after one")
    commands.add_subparsers(dest="command", required=True).add_parser("check", help="is all ready?")
    arguments = parser.parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        checks = list(_checks(read_configuration("placement-status", [*files, *folders])))
    except KilonovaError as error:
        sys.stderr.write(f"placement-status: {error}\n")
        return _CANNOT
    print(report(checks))
    return exit_code(checks)


if __name__ == "__main__":
    sys.exit(main())
