import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from kilonova.kit.db import types
from kilonova.kit.db.engine import Database, DatabaseOptions

META = sa.MetaData()
TEXTS = sa.Table("texts", META, sa.Column("id", types.BigId, primary_key=True), sa.Column("text", types.Name))
UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
GIVEN = ["Zebra", "apple", "Äpfel", "100%", "a_b", "𝄞"]


@pytest.mark.parametrize(
    ("kind", "on_sqlite", "on_mysql", "on_postgresql"),
    [
        (
            types.Name,
            "VARCHAR(255)",
            f"VARCHAR(255) {UTF8}",
            'VARCHAR(255) COLLATE "C"',
        ),
        (types.word(8), "VARCHAR(8)", "VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin", 'VARCHAR(8) COLLATE "C"'),
        (types.JsonText, "TEXT", f"MEDIUMTEXT {UTF8}", 'TEXT COLLATE "C"'),
        (types.BigId, "INTEGER", "BIGINT", "BIGINT"),
    ],
)
def test_texts_compare_by_bytes_everywhere(
    kind: sa.types.TypeEngine[object], on_sqlite: str, on_mysql: str, on_postgresql: str
) -> None:
    dialects = (sqlite.dialect(), mysql.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's
    assert [kind.compile(dialect) for dialect in dialects] == [on_sqlite, on_mysql, on_postgresql]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (types.holds(TEXTS.c.text, "pp"), ["apple"]),
        (types.holds(TEXTS.c.text, "%"), ["100%"]),
        (types.holds(TEXTS.c.text, "_"), ["a_b"]),
        (types.holds(TEXTS.c.text, "A"), []),
        (types.matching(TEXTS.c.text, "^[aZ]"), ["Zebra", "apple", "a_b"]),
        (types.matching(TEXTS.c.text, r"^\w+$"), ["Zebra", "apple", "Äpfel", "a_b"]),
        (sa.not_(types.matching(TEXTS.c.text, "[a-z]")), ["100%", "𝄞"]),
    ],
    ids=str,
)
def test_texts_are_searched(condition: sa.ColumnElement[bool], found: list[str]) -> None:
    database = Database(DatabaseOptions(connection="sqlite://"))
    META.create_all(database.engine)
    with database.write() as connection:
        connection.execute(TEXTS.insert(), [{"text": text} for text in GIVEN])
        assert list(connection.scalars(sa.select(TEXTS.c.text).where(condition).order_by(TEXTS.c.id))) == found
    database.dispose()


def test_searches_are_worded_for_each_database() -> None:
    query = [types.holds(TEXTS.c.text, "x"), types.matching(TEXTS.c.text, "x")]
    on_mysql = [str(q.compile(dialect=mysql.dialect())) for q in query]
    on_postgresql = [str(q.compile(dialect=postgresql.dialect())) for q in query]  # type: ignore[no-untyped-call]  # the same
    assert on_mysql[0].startswith("instr(texts.text, ")
    assert on_mysql[1].startswith("(texts.text REGEXP ")
    assert on_postgresql[0].startswith("strpos(texts.text, ")
    assert on_postgresql[1].startswith('((texts.text) COLLATE "default" ~ ')
