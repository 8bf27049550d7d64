import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from kilonova.kit.db.engine import (
    Database,
    DatabaseBusy,
    DatabaseOptions,
    DatabaseUnavailable,
    _Kept,
    _preferred_driver,
    is_bad_pattern,
    is_contention,
)

META = sa.MetaData()
THINGS = sa.Table("things", META, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/x.sqlite"))
    META.create_all(found.engine)
    yield found
    found.dispose()


def ids(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(THINGS.c.id)))


def failing(original: Exception) -> DBAPIError:
    return DBAPIError("SELECT", {}, original)


def test_a_write_is_whole_or_not_at_all(database: Database) -> None:
    with database.write() as connection:
        connection.execute(THINGS.insert().values(id=1))
    with pytest.raises(LookupError), database.write() as connection:  # noqa: PT012  # the write is what fails
        connection.execute(THINGS.insert().values(id=2))
        raise LookupError
    assert ids(database) == [1]


def test_writers_take_turns(database: Database) -> None:
    with database.write() as connection:
        connection.execute(THINGS.insert().values(id=1, n=0))

    def add() -> None:
        for _ in range(20):
            with database.write() as connection:
                seen = connection.scalar(sa.select(THINGS.c.n)) or 0
                connection.execute(THINGS.update().values(n=seen + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.scalar(sa.select(THINGS.c.n)) == 80


def test_contended_work_is_done_again(database: Database) -> None:
    tries: list[int] = []

    def work(connection: sa.Connection) -> str:
        connection.execute(THINGS.insert().values(id=1))
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseBusy(reason="deadlock")
        return "done"

    assert database.transact(work) == "done"
    assert (len(tries), ids(database)) == (3, [1])


def test_statements_are_counted(database: Database) -> None:
    before = database.statements.total
    with database.statements.watch() as seen, database.write() as connection:
        connection.execute(THINGS.insert().values(id=1))
    assert [text.split()[0] for text in seen] == ["INSERT"]
    assert database.statements.total == before + 1


def test_what_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="'connection' is not set"):
        Database(DatabaseOptions())
    absent = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/no/such/folder.sqlite"))
    with pytest.raises(DatabaseUnavailable, match="unable to open"), absent.read():
        pass
    absent.dispose()


class Coded(Exception):
    def __init__(self, *args: object, sqlstate: str | None = None) -> None:
        super().__init__(*args)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("original", "contended", "pattern"),
    [
        (Coded(1213, "Deadlock found"), True, False),
        (Coded(1205, "Lock wait timeout"), True, False),
        (Coded(1305, "SAVEPOINT sa_savepoint_1 does not exist"), True, False),
        (Coded(1305, "PROCEDURE x does not exist"), False, False),
        (Coded("words", sqlstate="40P01"), True, False),
        (Coded("words", sqlstate="2201B"), False, True),
        (Coded(1139, "Regex error"), False, True),
        (Coded(2013, "Lost connection"), False, False),
        (Coded(), False, False),
        (sqlite3.OperationalError("database is locked"), True, False),
        (sqlite3.OperationalError("user-defined function raised exception"), False, True),
        (sqlite3.OperationalError("no such table: x"), False, False),
    ],
    ids=str,
)
def test_what_went_wrong_is_told_apart(original: Exception, contended: bool, pattern: bool) -> None:
    assert is_contention(failing(original)) is contended
    assert is_bad_pattern(failing(original)) is pattern


def test_busy_and_broken_databases_are_different_errors(database: Database) -> None:
    for words, expected in (("database is locked", DatabaseBusy), ("disk I/O error", DatabaseUnavailable)):
        with pytest.raises(expected, match=words), database.read():
            raise OperationalError("SELECT", {}, sqlite3.OperationalError(words))


@pytest.mark.parametrize(
    ("given", "drivers"),
    [
        ("mysql://u:p@h/d", {"mysql+pymysql", "mysql+mysqldb"}),
        ("mysql+pymysql://u:p@h/d", {"mysql+pymysql", "mysql+mysqldb"}),
        ("mariadb+pymysql://u:p@h/d", {"mysql+pymysql", "mysql+mysqldb"}),
        ("mysql+mysqlconnector://u:p@h/d", {"mysql+mysqlconnector"}),
        ("postgresql://u:p@h/d", {"postgresql+psycopg"}),
        ("postgresql+asyncpg://u:p@h/d", {"postgresql+asyncpg"}),
        ("sqlite:////x", {"sqlite"}),
    ],
)
def test_urls_get_a_driver_that_is_there(given: str, drivers: set[str]) -> None:
    found, _, rest = _preferred_driver(given).partition("://")
    assert found in drivers
    assert rest == given.partition("://")[2]


def test_a_kept_connection_goes_on_to_the_next_user_unless_something_went_wrong(database: Database) -> None:
    kept = _Kept(database.engine, keep=1, recycle=3600)
    with kept.connection() as first, kept.connection() as second:
        assert first is not second
    with kept.connection() as again:
        assert again is first or again is second
        assert (first.closed, second.closed).count(True) == 1
    with pytest.raises(ZeroDivisionError), kept.connection() as broken:
        _ = 1 / 0
    assert broken.closed
    with kept.connection() as waiting:
        pass

    def lose() -> None:
        with kept.connection(), kept.connection() as lost:
            lost.invalidate()
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        lose()
    with kept.connection() as other:
        assert other is not waiting
    kept.clear()
    assert other.closed


def test_a_kept_connection_is_replaced_in_time(database: Database) -> None:
    kept = _Kept(database.engine, keep=1, recycle=0)
    with kept.connection() as first:
        pass
    with kept.connection() as second:
        assert first.closed
        assert second is not first
