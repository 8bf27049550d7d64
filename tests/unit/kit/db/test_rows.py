import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, MultipleResultsFound

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.rows import put, row, rows

META = sa.MetaData()
THINGS = sa.Table(
    "things",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(9), unique=True),
    sa.Column("size", sa.Integer),
    sa.Column("made", sa.Integer),
)


def test_rows_are_mappings_and_put_makes_or_changes_one() -> None:
    database = Database(DatabaseOptions(connection="sqlite://"))
    META.create_all(database.engine)
    everything = sa.select(THINGS.c.name, THINGS.c.size, THINGS.c.made).order_by(THINGS.c.name)
    with database.write() as connection:
        assert row(connection, everything) is None
        assert put(connection, THINGS, {"name": "a"}, {"size": 1}, {"made": 7})
        assert not put(connection, THINGS, {"name": "a"}, {"size": 2}, {"made": 8})
        assert rows(connection, everything) == [{"name": "a", "size": 2, "made": 7}]
        assert put(connection, THINGS, {"name": "b"}, {"size": 1})
        wanted = everything.where(THINGS.c.name == sa.bindparam("wanted"))
        assert row(connection, wanted, {"wanted": "b"}) == {"name": "b", "size": 1, "made": None}
        with pytest.raises(MultipleResultsFound):
            row(connection, everything)
        with pytest.raises(IntegrityError):
            put(connection, THINGS, {"id": 77}, {"name": "a"})
    database.dispose()
