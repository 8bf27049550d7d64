"""The last writes of a transaction, sent together with its COMMIT.

To MariaDB and MySQL a round trip costs as much as a small statement, and SQLAlchemy's way of sending one as much again.
Other databases get each statement at once.
"""

import contextlib
import functools
import re
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.dml import UpdateBase

_NAMED = re.compile(r"%\((\w+)\)s")
_WAITING = "kilonova.later"


def later(connection: Connection, statement: UpdateBase, values: Mapping[str, Any]) -> None:
    """Execute before the transaction of ``Database.write`` commits; what the statement raises, leaving that raises.

    For statements that are put together once, with plain values, of which nothing is asked: no generated key, no count
    of rows. What the transaction executes afterwards happens before. Not within a savepoint.
    """
    if connection.dialect.name != "mysql":
        connection.execute(statement, dict(values))
        return
    text, names, others = _text(statement, tuple(values), connection.dialect)
    every = {**others, **values}
    connection.info.setdefault(_WAITING, []).append((text, [every[name] for name in names]))


@functools.lru_cache(maxsize=1000)
def _text(statement: UpdateBase, keys: tuple[str, ...], dialect: Dialect) -> tuple[str, list[str], dict[str, Any]]:
    """As the driver takes it, its parameters in order, and the values of those that the statement or a column gives."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    defaults = {column.key: cast("Any", column.default).arg for column in compiled.insert_prefetch}
    names = compiled.positiontup
    if names is None:  # PyMySQL's form: %(name)s
        names = _NAMED.findall(str(compiled))
    return _NAMED.sub("%s", str(compiled)), list(names), {**compiled.params, **defaults}


def _taken(pooled: Any) -> Any:
    """What waited, which is forgotten."""
    try:
        return pooled.info.pop(_WAITING, None)
    except NotImplementedError:  # the engine's very first connection, on which it learns about the server
        return None


def send_with_commit(dialect: Any, sent: Any) -> None:
    """Make a dialect of MySQL send what waits when a transaction ends; ``sent`` is told each statement.

    In the dialect itself, for SQLAlchemy's ``commit`` event comes before a COMMIT of its own, a round trip more; and in
    the instance, for there are two drivers' dialects, each chosen by URL.
    """
    commit, rollback = dialect.do_commit, dialect.do_rollback

    def do_commit(pooled: Any) -> None:
        waiting = _taken(pooled)
        if not waiting:
            commit(pooled)
            return
        cursor = pooled.cursor()
        try:
            text = "; ".join([*(text for text, _ in waiting), "COMMIT"])
            cursor.execute(text, [value for _, values in waiting for value in values])
            while cursor.nextset():
                pass
        except BaseException:
            with contextlib.suppress(Exception):  # a connection that is lost: the first error tells it
                rollback(pooled)  # SQLAlchemy takes a failed COMMIT for the end of the transaction
            raise
        finally:
            cursor.close()
        for text, _ in waiting:
            sent(text)

    def do_rollback(pooled: Any) -> None:
        _taken(pooled)
        rollback(pooled)

    dialect.do_commit, dialect.do_rollback = do_commit, do_rollback
