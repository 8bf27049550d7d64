"""What the migrations make is what the tables say, on every kind of database."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.contract.store.conftest import Databases

from kilonova.kit.db.engine import Database
from kilonova.kit.db.migrate import Schema, UnknownRevision

_NAMED = {"api": 0, "cell": 1}


def _one(databases: Databases, name: str) -> tuple[Schema, Database]:
    schema, database = databases.both[_NAMED[name]]
    return schema, database


@pytest.mark.parametrize("name", _NAMED)
def test_migrations_make_the_tables(databases: Databases, name: str) -> None:
    schema, database = _one(databases, name)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


@pytest.mark.parametrize("name", _NAMED)
def test_columns_indexes_and_uniqueness_are_the_tables(databases: Databases, name: str) -> None:
    schema, database = _one(databases, name)
    inspector = sa.inspect(database.engine)
    for table in schema.metadata.sorted_tables:
        real = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert {n: c["nullable"] for n, c in real.items()} == {c.name: c.nullable for c in table.columns}, table.name
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == list(table.primary_key.columns.keys())
        unique = {tuple(i["column_names"]) for i in inspector.get_indexes(table.name) if i["unique"]}
        unique |= {tuple(i["column_names"]) for i in inspector.get_unique_constraints(table.name)}
        assert unique == _unique(table), table.name
        plain = {i["name"]: tuple(i["column_names"]) for i in inspector.get_indexes(table.name) if not i["unique"]}
        assert {i.name: tuple(i.columns.keys()) for i in table.indexes}.items() <= plain.items(), table.name


def _unique(table: sa.Table) -> set[tuple[str, ...]]:
    return {tuple(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)}


def test_every_text_compares_by_bytes(databases: Databases) -> None:
    if databases.kind == "sqlite":
        return  # SQLite compares by bytes unless told otherwise, and nothing here tells it so
    for schema, database in databases.both:
        inspector = sa.inspect(database.engine)
        for table in schema.metadata.sorted_tables:
            for column in inspector.get_columns(table.name):
                collation = getattr(column["type"], "collation", None)
                if isinstance(column["type"], sa.String):
                    assert collation == "C" or str(collation).endswith("_bin"), f"{table.name}.{column['name']}"


def test_upgrading_again_changes_nothing(databases: Databases) -> None:
    for schema, database in databases.both:
        schema.upgrade(database)
        assert schema.version(database) == schema.head()
        with pytest.raises(UnknownRevision, match="nonsense"):
            schema.upgrade(database, "nonsense")
