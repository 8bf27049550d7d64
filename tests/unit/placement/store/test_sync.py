"""The schema that migrations make is the one the code speaks of."""

from pathlib import Path

import os_resource_classes
import os_traits
import sqlalchemy as sa

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.placement.store import tables as t
from kilonova.placement.store.sync import SCHEMA, sync


def test_migrations_make_the_tables(tmp_path: Path) -> None:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/p.db"))
    SCHEMA.upgrade(database)
    inspector = sa.inspect(database.engine)
    for table in t.METADATA.sorted_tables:
        columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns(table.name)}
        kinds = {c.name: (c.type.compile(database.engine.dialect), c.nullable) for c in table.columns}
        assert columns == kinds, table.name
        indexes = {(str(i["name"]), tuple(i["column_names"])) for i in inspector.get_indexes(table.name)}
        assert indexes == {(str(i.name), tuple(c.name for c in i.columns)) for i in table.indexes}, table.name
        keys = {tuple(k["constrained_columns"]) for k in inspector.get_foreign_keys(table.name)}
        assert keys == {tuple(c.name for c in k.columns) for k in table.foreign_key_constraints}, table.name
    database.dispose()


def test_sync_can_be_repeated(tmp_path: Path) -> None:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/p.db"))
    sync(database)
    sync(database)
    with database.read() as connection:
        classes = set(connection.scalars(sa.select(t.classes.c.name)))
        traits = set(connection.scalars(sa.select(t.traits.c.name)))
    assert classes == set(os_resource_classes.STANDARDS)
    assert traits == set(os_traits.get_traits())
    assert SCHEMA.version(database) == SCHEMA.head()
    database.dispose()
