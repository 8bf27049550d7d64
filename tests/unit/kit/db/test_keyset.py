import pytest
import sqlalchemy as sa
from tests.unit.databases import fresh

from kilonova.kit.db import keyset
from kilonova.kit.db.engine import Database

META = sa.MetaData()
THINGS = sa.Table(
    "things",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(9)),
    sa.Column("size", sa.Integer),
)
ROWS = [(1, "a", 5), (2, None, 5), (3, "a", None), (4, "b", 5), (5, None, None), (6, "a", 5)]


def _things(database: Database) -> None:
    with database.write() as connection:
        META.create_all(connection)
        connection.execute(THINGS.insert(), [dict(zip(("id", "name", "size"), row, strict=True)) for row in ROWS])


@pytest.mark.parametrize("names", [("id",), ("name", "id"), ("size", "name", "id")])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("last", ["asc", "desc"])
def test_pages_of_one_make_the_whole_list(names: tuple[str, ...], direction: str, last: str) -> None:
    order = [(THINGS.c[name], direction) for name in names[:-1]] + [(THINGS.c[names[-1]], last)]
    with fresh(_things).read() as connection:
        whole = list(connection.scalars(keyset.ordered(sa.select(THINGS.c.id), order)))
        seen = [connection.scalar(keyset.ordered(sa.select(THINGS.c.id), order).limit(1))]
        while True:
            marker = connection.execute(sa.select(*keyset.values_of(order)).where(THINGS.c.id == seen[-1])).one()
            query = keyset.ordered(sa.select(THINGS.c.id), order).where(keyset.after(list(marker), order)).limit(1)
            following = connection.scalar(query)
            if following is None:
                break
            seen.append(following)
    assert seen == whole
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
