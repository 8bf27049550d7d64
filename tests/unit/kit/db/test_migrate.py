from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.migrate import Schema, UnknownRevision

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None

def upgrade() -> None:
    op.create_table("things", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"

def upgrade() -> None:
    op.add_column("things", sa.Column("name", sa.String(9)))
"""


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database(DatabaseOptions(connection="sqlite://"))
    yield found
    found.dispose()


@pytest.fixture
def schema(tmp_path: Path) -> Schema:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_first.py").write_text(FIRST)
    (tmp_path / "versions" / "0002_second.py").write_text(SECOND)
    return Schema(tmp_path, sa.MetaData(), version_table="my_version")


def columns(database: Database) -> list[str]:
    return [column["name"] for column in sa.inspect(database.engine).get_columns("things")]


def test_step_by_step_and_at_once(schema: Schema, database: Database) -> None:
    assert (schema.head(), schema.version(database)) == ("0002", None)
    schema.upgrade(database, "0001")
    assert (schema.version(database), columns(database)) == ("0001", ["id"])
    schema.upgrade(database)
    schema.upgrade(database)
    assert (schema.version(database), columns(database)) == ("0002", ["id", "name"])
    assert "my_version" in sa.inspect(database.engine).get_table_names()


def test_an_unknown_revision_changes_nothing(schema: Schema, database: Database) -> None:
    with pytest.raises(UnknownRevision, match="0009 is not known; the newest is 0002"):
        schema.upgrade(database, "0009")
    assert sa.inspect(database.engine).get_table_names() == []


def test_stamping_runs_nothing(schema: Schema, database: Database) -> None:
    schema.stamp(database)
    assert schema.version(database) == "0002"
    assert "things" not in sa.inspect(database.engine).get_table_names()
