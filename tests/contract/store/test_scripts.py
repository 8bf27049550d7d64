"""What goes to the driver past SQLAlchemy: prepared statements, scripts, and what waits for a COMMIT."""

import secrets
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tests.contract.store.conftest import Databases

from kilonova.kit.db.engine import Database, DatabaseBusy, DatabaseOptions, DatabaseUnavailable
from kilonova.kit.db.later import later
from kilonova.kit.db.prepared import Prepared
from kilonova.kit.db.script import NEW_ID, Line, Script, Unmet

META = sa.MetaData()
SUFFIX = secrets.token_hex(3)
ORDERS = sa.Table(
    f"orders_{SUFFIX}",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), unique=True),
    sa.Column("paid", sa.Boolean, nullable=False, default=False),
)
ROWS = sa.Table(f"rows_{SUFFIX}", META, sa.Column("order_id", sa.BigInteger), sa.Column("thing", sa.String(20)))
STOCK = sa.Table(
    f"stock_{SUFFIX}", META, sa.Column("thing", sa.String(20), primary_key=True), sa.Column("left_over", sa.Integer)
)
THING, AMOUNT = sa.bindparam("the_thing", type_=sa.String), sa.bindparam("amount", type_=sa.Integer)
BUY = Script(
    Line(sa.insert(ORDERS).values(name=sa.bindparam("order"), paid=sa.true())),
    Line(
        sa.update(STOCK)
        .where(STOCK.c.thing == THING, STOCK.c.left_over >= AMOUNT)
        .values(left_over=STOCK.c.left_over - AMOUNT),
        1,
    ),
    Line(sa.insert(ROWS).values([{"order_id": NEW_ID, "thing": THING}, {"order_id": NEW_ID, "thing": THING}])),
)


@pytest.fixture
def shop(databases: Databases) -> Iterator[Database]:
    META.create_all(databases.cell.engine)
    with databases.cell.write() as connection:
        connection.execute(sa.insert(STOCK), [{"thing": "100% 'nut'; %s", "left_over": 5}])
    yield databases.cell
    META.drop_all(databases.cell.engine)


def buy(database: Database, order: str, amount: int) -> None:
    database.play(BUY, {"order": order, "the_thing": "100% 'nut'; %s", "amount": amount})


def state(database: Database) -> tuple[int, list[tuple[str, str | None]]]:
    with database.read() as connection:
        left = connection.scalar(sa.select(STOCK.c.left_over)) or 0
        joined = sa.select(ORDERS.c.name, ROWS.c.thing).outerjoin(ROWS, ROWS.c.order_id == ORDERS.c.id)
        return left, sorted((row.name, row.thing) for row in connection.execute(joined))


def test_all_of_it_or_nothing(shop: Database) -> None:
    buy(shop, "a", 2)
    bought = (3, [("a", "100% 'nut'; %s")] * 2)
    assert state(shop) == bought
    with pytest.raises(Unmet):
        buy(shop, "b", 4)
    with pytest.raises(IntegrityError):
        buy(shop, "a", 1)
    assert state(shop) == bought
    with shop.write() as connection:  # the connection that failed holds nothing back
        connection.execute(sa.update(STOCK).values(left_over=9))
    buy(shop, "c", 4)
    assert state(shop)[0] == 5


def test_each_statement_is_counted(shop: Database) -> None:
    with shop.statements.watch() as seen:
        buy(shop, "a", 1)
    assert [text.split()[0] for text in seen] == ["INSERT", "UPDATE", "INSERT"]


def test_last_writes_go_with_the_commit(shop: Database) -> None:
    add, change = sa.insert(ORDERS), sa.update(STOCK).values(left_over=STOCK.c.left_over - AMOUNT)

    def write(name: str, amount: int) -> None:
        with shop.write() as connection:
            connection.execute(change, {"amount": amount})
            later(connection, change, {"amount": amount})
            later(connection, add, {"name": name})

    with shop.statements.watch() as seen:
        write("a", 1)
    assert [text.split()[0] for text in seen] == ["UPDATE", "UPDATE", "INSERT"]
    assert state(shop) == (3, [("a", None)])
    with pytest.raises(IntegrityError):
        write("a", 1)
    with pytest.raises(LookupError), shop.write() as connection:  # noqa: PT012  # the transaction is what fails
        later(connection, add, {"name": "never"})
        raise LookupError
    write("b", 1)
    assert state(shop) == (1, [("a", None), ("b", None)])
    with shop.read() as connection:
        assert set(connection.scalars(sa.select(ORDERS.c.paid))) == {False}


def test_prepared_statements_are_what_sqlalchemy_would_do(shop: Database) -> None:
    named = sa.select(ORDERS.c.id.label("key"), ORDERS.c.name, ORDERS.c.paid, sa.literal("%s 50%").label("text"))
    one = Prepared(named.where(ORDERS.c.name == sa.bindparam("wanted")))
    every = Prepared(named.where(ORDERS.c.paid == sa.bindparam("paid_for", type_=sa.Boolean)).order_by(ORDERS.c.id))
    count = Prepared(sa.select(sa.func.count()).select_from(ORDERS).where(ORDERS.c.id > sa.bindparam("over", 0)))
    pay = Prepared(
        sa.update(ORDERS)
        .where(ORDERS.c.name != sa.bindparam("but"), ORDERS.c.paid.is_(sa.false()))
        .values(paid=True, name=sa.bindparam("rename"))
    )
    with shop.write() as connection:
        connection.execute(sa.insert(ORDERS), [{"id": number, "name": name} for number, name in enumerate("abc", 1)])
        assert pay.change(connection, {"but": "nobody", "rename": None}) == 3
        connection.execute(sa.update(ORDERS).where(ORDERS.c.id < 3).values(paid=False))
        assert pay.change(connection, {"but": "nobody", "rename": None}) == 0  # NULL is neither
        connection.execute(sa.update(ORDERS).values(name=sa.cast(ORDERS.c.id, sa.String(20))))
        assert pay.change(connection, {"but": "1", "rename": "b"}) == 1
    with shop.statements.watch() as seen, shop.read() as connection:
        expected = {"key": 1, "name": "1", "paid": False, "text": "%s 50%"}
        assert one.one(connection, {"wanted": "1"}) == expected
        assert one.one(connection, {"wanted": "z"}) is None
        assert every.all(connection, {"paid_for": False}) == [expected]
        assert [row["name"] for row in every.all(connection, {"paid_for": True})] == ["b", "3"]
        assert (count.value(connection, {}), count.value(connection, {"over": 2})) == (3, 1)
        assert one.value(connection, {"wanted": "z"}) is None
    assert len(seen) == 7
    with pytest.raises(IntegrityError), shop.write() as connection:
        pay.change(connection, {"but": "3", "rename": "b"})
    with pytest.raises(DatabaseUnavailable):  # and the next one is well again
        lose(shop, one)
    with shop.read() as connection:
        assert one.one(connection, {"wanted": "b"}) is not None


CONNECTIONS = {
    "mysql": ("SELECT CONNECTION_ID()", "KILL {}"),
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
}
"""Which one this is, and how it is ended."""


def test_connections_that_the_server_ended_while_they_were_idle_are_not_used(shop: Database) -> None:
    if shop.dialect == "sqlite":
        pytest.skip("a file has no connections to lose")
    own, end = CONNECTIONS[shop.dialect]
    with shop.read() as reading, shop.write() as writing:
        numbers = [connection.exec_driver_sql(own).scalar_one() for connection in (reading, writing)]
    other = Database(DatabaseOptions(connection=shop.url.render_as_string(hide_password=False)))
    for number in numbers:
        with other.read() as connection:
            connection.exec_driver_sql(end.format(number))
    other.dispose()
    time.sleep(1.1)
    with shop.read() as reading, shop.write() as writing:
        new = [connection.exec_driver_sql(own).scalar_one() for connection in (reading, writing)]
    assert not set(new) & set(numbers)
    time.sleep(1.1)
    with shop.read() as reading, shop.write() as writing:  # those that still live are used
        assert [connection.exec_driver_sql(own).scalar_one() for connection in (reading, writing)] == new


def lose(database: Database, statement: Prepared) -> None:
    """Have the server close a connection, then use it."""
    if database.dialect == "sqlite":
        raise DatabaseUnavailable(reason="a file has no connections to lose")
    own, end = CONNECTIONS[database.dialect]
    with database.read() as connection:
        number = connection.exec_driver_sql(own).scalar_one()
        with database.engine.connect() as other:
            other.exec_driver_sql(end.format(number))
        statement.one(connection, {"wanted": "b"})


def test_writers_race(shop: Database) -> None:
    sold: list[str] = []

    def work(name: str) -> None:
        for i in range(5):
            try:
                buy(shop, f"{name}{i}", 1)
            except (Unmet, DatabaseBusy):
                continue
            sold.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(sold) == 5
    assert state(shop)[0] == 0
