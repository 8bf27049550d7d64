"""Databases in memory, each made once: making tables and compiling statements takes longer than most tests."""

import functools
from collections.abc import Callable
from typing import Any

from kilonova.kit.db.engine import Database, DatabaseOptions

Fill = Callable[[Database], object]


def fresh(fill: Fill) -> Database:
    """A database as ``fill`` makes it. The next call with this ``fill`` gives the same one, as it was at first."""
    database, image = _made(fill)
    _raw(database, lambda driver: driver.deserialize(image))
    return database


@functools.cache
def _made(fill: Fill) -> tuple[Database, bytes]:
    database = Database(DatabaseOptions(connection="sqlite://"))
    fill(database)
    return database, _raw(database, lambda driver: driver.serialize())


def _raw(database: Database, call: Callable[[Any], Any]) -> Any:
    connection = database.engine.raw_connection()
    try:
        return call(connection.driver_connection)
    finally:
        connection.close()
