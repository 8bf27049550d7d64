"""``placement-status upgrade check``."""

import sys
from collections.abc import Iterator, Sequence

from kilonova.cli.upgrade_check import Check, Result, policy_file, run
from kilonova.kit.db.engine import Database
from kilonova.kit.options import Configuration
from kilonova.kit.policy import policy_path
from kilonova.placement.api.options import PolicyOptions
from kilonova.placement.store.health import ownerless_allocations, rootless_providers
from kilonova.placement.store.sync import SCHEMA
from kilonova.services.placement_api import open_database, read_configuration

PROGRAM = "placement-status"


def _checks(configuration: Configuration) -> Iterator[Check]:
    database = open_database(configuration)
    present, newest = SCHEMA.version(database), SCHEMA.head()
    if present == newest:
        yield Check("Database Schema")
        yield from _data(database)
    else:
        words = f"the database is at revision {present}, this release needs {newest}: placement-manage db sync"
        yield Check("Database Schema", Result.FAILURE, words)
    yield policy_file(policy_path(configuration, configuration.section(PolicyOptions).policy_file))


def _data(database: Database) -> Iterator[Check]:
    with database.read() as connection:
        rootless, ownerless = rootless_providers(connection), ownerless_allocations(connection)
    for name, number, what in (
        ("Missing Root Provider IDs", rootless, "resource providers do not know the root of their tree"),
        ("Incomplete Consumers", ownerless, "allocations have a consumer without a record"),
    ):
        yield Check(name, Result.FAILURE, f"{number} {what}: restore the database") if number else Check(name)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 fine; 1 warnings; 2 failures; 255 the checks could not be made."""
    return run(PROGRAM, argv, lambda words: _checks(read_configuration(PROGRAM, words)))


if __name__ == "__main__":
    sys.exit(main())
