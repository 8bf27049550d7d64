"""The reference service's database (release 16.0.0), as far as it is read when one is imported.

The tables are as its own ``placement-manage db sync`` makes them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Invalid

REVISION = "a082b8bb98d0"
"""What ``placement-manage db version`` of that release prints."""
Row = Mapping[str, Any]
_NEVER = datetime(2000, 1, 1)  # noqa: DTZ001  # naive UTC is the convention; for rows without dates


class NotImportable(Invalid):
    """A database cannot be imported; the message says what to do."""

    template = "Cannot import: {reason}"


def _table(name: str, *columns: str) -> sa.TableClause:
    dates = [sa.column("created_at", sa.DateTime), sa.column("updated_at", sa.DateTime)]
    return sa.table(name, *dates, *(sa.column(c) for c in columns))


version = sa.table("alembic_version", sa.column("version_num"))
aggregates = _table("placement_aggregates", "id", "uuid")
allocations = _table("allocations", "id", "resource_provider_id", "consumer_id", "resource_class_id", "used")
classes = _table("resource_classes", "id", "name")
consumer_types = _table("consumer_types", "id", "name")
consumers = _table("consumers", "id", "uuid", "project_id", "user_id", "generation", "consumer_type_id")
_NUMBERS = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")
inventories = _table("inventories", "id", "resource_provider_id", "resource_class_id", *_NUMBERS)
projects = _table("projects", "id", "external_id")
provider_aggregates = _table("resource_provider_aggregates", "resource_provider_id", "aggregate_id")
provider_traits = _table("resource_provider_traits", "resource_provider_id", "trait_id")
providers = _table("resource_providers", "id", "uuid", "name", "generation", "root_provider_id", "parent_provider_id")
traits = _table("traits", "id", "name")
users = _table("users", "id", "external_id")


def changed(table: sa.TableClause) -> sa.ColumnElement[datetime]:
    """When a row was last written."""
    return sa.func.coalesce(table.c.updated_at, table.c.created_at, sa.literal(_NEVER, sa.DateTime))


def root_of(table: sa.TableClause) -> sa.ColumnElement[int]:
    """A provider's root."""
    return sa.func.coalesce(table.c.root_provider_id, table.c.id)


def check(source: Database) -> None:
    """Is it such a database, and complete? Raises NotImportable."""
    with source.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            raise NotImportable(reason="the database has no alembic_version; it is none of Placement's")
        found = connection.scalar(sa.select(version.c.version_num))
        if found != REVISION:
            raise NotImportable(
                reason=f"its schema is at revision {found}, known is {REVISION} (16.0.0): upgrade it to that"
            )
        known = sa.exists().where(consumers.c.uuid == allocations.c.consumer_id)
        if connection.execute(sa.select(allocations.c.id).where(~known).limit(1)).first():
            raise NotImportable(
                reason="some allocations have no consumer: run its own placement-manage db online_data_migrations first"
            )


def batches(source: Database, query: sa.Select[Any], key: sa.ColumnElement[int], size: int) -> Iterator[list[Row]]:
    """Rows of ``query`` by ranges of ``key`` (which may repeat), about ``size`` distinct keys at a time."""
    last = -1
    while True:
        behind = sa.select(key).where(key > last).distinct().order_by(key).limit(size).subquery()
        with source.read() as connection:
            end = connection.scalar(sa.select(sa.func.max(behind.c[0])))
            if end is None:
                return
            rows = connection.execute(query.where(key > last, key <= end).order_by(key)).mappings().all()
        yield [dict(row) for row in rows]
        last = end
