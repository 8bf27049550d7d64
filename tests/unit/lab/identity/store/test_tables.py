import pytest

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.identity.store.tables import SCHEMA, WrongSchema, prepare


def test_preparing_twice_changes_nothing_and_another_number_is_refused() -> None:
    database = Database(DatabaseOptions(connection="sqlite://"))
    prepare(database)
    prepare(database)
    with database.write() as connection:
        connection.execute(SCHEMA.update().values(version=99))
    with pytest.raises(WrongSchema, match="schema 99"):
        prepare(database)
