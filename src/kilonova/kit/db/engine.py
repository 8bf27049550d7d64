"""One ``Database`` per URL: SQLite, MariaDB/MySQL or PostgreSQL behind SQLAlchemy Core.

* ``read()`` gives a connection for selects, ``write()`` a transaction that commits on leaving and rolls back on error.
* ``transact(fn)`` runs ``fn(connection)`` in a transaction and again when the database reports a deadlock or a lost
  race for a lock; ``fn`` must have no effect outside the database. ``once(fn)`` does so for a single statement.
* ``play(script, …)`` makes a transaction of prepared statements in one round trip, where the database can do that.
* ``statements`` counts what was sent, for tests that assert query budgets.
"""

import contextlib
import functools
import logging
import random
import select
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from kilonova.kit import metrics
from kilonova.kit.db.later import send_with_commit
from kilonova.kit.db.prepared import SENT
from kilonova.kit.db.script import Script
from kilonova.kit.errors import Conflict, Invalid, Unavailable
from kilonova.kit.options import opt

LOG = logging.getLogger(__name__)
T = TypeVar("T")
_DEADLOCK_CODES = {1205, 1213, 1020, "40001", "40P01", "55P03"}
_NO_SUCH_SAVEPOINT = 1305
_BAD_PATTERN = "2201B"
_BAD_PATTERNS = {1139, *range(3685, 3700)}
"""MariaDB's, and those of MySQL 8 (ER_REGEXP_…)."""
_AWAY_CODES = {1040, 1044, 1045, 1047, 1049, 1053, 1158, 1159, 1160, 1161, 1203, 1927, 2002, 2003, 2005, 2006}
_AWAY_CODES |= {2013, 2026, 2055}
"""MySQL's for: too many connections, access denied, a cluster's node that is not in step (1047), no such database,
shutting down, connection killed, lost or refused."""
_ATTEMPTS = 40
"""Some seven seconds in all: one of fifty creates for one project gave up after four on a very busy machine."""
_TRUSTED_SECONDS = 1.0
"""A kept connection that has been idle longer is looked at first: the database may have been started anew meanwhile."""
_STATEMENTS = metrics.counter("kilonova_sql_statements", "Statements sent", "database")
_NOW = {
    "mysql": sa.text("SELECT UNIX_TIMESTAMP(NOW(6))"),
    "postgresql": sa.text("SELECT extract(epoch FROM clock_timestamp())"),
}
_MULTI_STATEMENTS = 1 << 16
"""CLIENT_MULTI_STATEMENTS of MySQL's protocol, for scripts. Every value of every statement is a bound parameter."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or stayed locked beyond the retries."""

    template = "The database is not available: {reason}"
    told = "The database is not available now; try again soon"


class BadConnection(Invalid):
    """The option ``connection`` is no URL of a database that can be used here."""

    template = "The database URL of option 'connection' cannot be used: {reason}"


class DatabaseBusy(Conflict):
    """A row stayed contended through every retry."""

    template = "The database stayed contended: {reason}"


@dataclass(frozen=True)
class DatabaseOptions:
    """``[database]``, ``[api_database]``, ``[placement_database]``: same names, types and defaults as upstream."""

    GROUP: ClassVar[str] = "database"
    connection: str | None = opt(None, "SQLAlchemy URL of the database", secret=True)
    max_pool_size: int = opt(5, "connections kept open per process")
    max_overflow: int = opt(50, "connections beyond the pool")
    pool_timeout: int | None = opt(None, "seconds to wait for a connection")
    connection_recycle_time: int = opt(3600, "seconds after which a connection is replaced")
    mysql_sql_mode: str = opt("TRADITIONAL", "sql_mode of MySQL sessions")
    connection_debug: int = opt(0, "verbosity of SQL logging, 0 to 100", min=0, max=100)


class Database:
    """One database. Thread safe; keep one per URL and process."""

    def __init__(self, options: DatabaseOptions) -> None:
        if not options.connection:
            raise DatabaseUnavailable(reason="option 'connection' is not set")
        try:
            self.url = make_url(_preferred_driver(options.connection))
            self.engine = _engine(self.url, options).execution_options(**{SENT: self._sent})
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise BadConnection(reason=str(error)) from error
        self.dialect: str = self.engine.dialect.name
        self._reader = self.engine
        if self.dialect != "sqlite":
            self._reader = _engine(self.url, options, reading=True).execution_options(**{SENT: self._sent})
        self._word = str(self.url.database or "memory").rpartition("/")[2]
        if metrics.METRICS.on:
            self._count_for_metrics()
        keep = 0 if self.dialect == "sqlite" else options.max_pool_size
        self._readers = _Kept(self._reader, keep, options.connection_recycle_time)
        self._writers = _Kept(self.engine, keep, options.connection_recycle_time)
        self._sqlite_writer = threading.RLock() if self.dialect == "sqlite" else None
        if self.dialect == "mysql":
            send_with_commit(self.engine.dialect, self._sent)

    def _count_for_metrics(self) -> None:
        for engine in {self.engine, self._reader}:
            event.listen(engine, "before_cursor_execute", lambda *_told: _STATEMENTS.add(self._word))

    def check(self) -> None:
        """Raises DatabaseUnavailable."""
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    @functools.cached_property
    def statements(self) -> "Counter":
        """Counts from the first look at it on: a listener makes every connection dearer by a tenth of a millisecond."""
        counter = Counter()
        for engine in {self.engine, self._reader}:
            event.listen(engine, "before_cursor_execute", counter.count)
        for kept in (self._readers, self._writers):
            kept.clear()  # those know of no listener
        return counter

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for selects, each of which sees what was committed when it began."""
        with self._translated(), self._readers.connection() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed on leaving, rolled back when an exception leaves."""
        guard = self._sqlite_writer or contextlib.nullcontext()
        with self._translated(), guard, self._writers.connection() as connection, connection.begin():
            if self._sqlite_writer is not None:
                # A deferred transaction that upgrades to a write fails at once when another process wrote meanwhile.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def now(self) -> datetime | None:
        """The server's clock; None for a file, which has none."""
        if self.dialect == "sqlite":
            return None
        with self.read() as connection:
            return datetime.fromtimestamp(float(connection.scalar(_NOW[self.dialect]) or 0), UTC)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """``work`` in one transaction, repeated on deadlock. Raises DatabaseBusy when that does not help."""
        return self._repeated(work, self.write)

    @staticmethod
    def _repeated(work: Callable[[Connection], T], way: Callable[[], AbstractContextManager[Connection]]) -> T:
        for attempt in range(_ATTEMPTS):
            try:
                with way() as connection:
                    return work(connection)
            except DatabaseBusy:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311  # jitter, not a secret
        raise AssertionError  # the loop returns or raises

    def once(self, work: Callable[[Connection], T]) -> T:
        """Like ``transact``, for ``work`` of one statement, which needs no BEGIN and COMMIT. Raises DatabaseBusy."""
        if self._sqlite_writer is not None:
            return self.transact(work)
        return self._repeated(work, self.read)

    def play(self, script: Script, parameters: Mapping[str, Any]) -> None:
        """A script as a transaction of its own. Raises Unmet, DatabaseBusy, IntegrityError; none of it is done then."""
        if self.dialect != "mysql":
            with self.write() as connection:
                script.step_through(connection, parameters)
            return
        with self._translated(), self._writers.connection() as connection:
            script.send(connection, parameters)
        for line in script.lines:
            self._sent(line.statement)

    def _sent(self, statement: object) -> None:
        """Beside SQLAlchemy's own way, whose events are counted."""
        if metrics.METRICS.on:
            _STATEMENTS.add(self._word)
        if "statements" in vars(self):
            self.statements.count(None, None, str(statement))

    def dispose(self) -> None:
        """Close all connections."""
        for kept in (self._readers, self._writers):
            kept.clear()
        self.engine.dispose()
        self._reader.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if is_contention(error):
                raise DatabaseBusy(reason=str(error.orig)) from error
            if _is_away(error):
                LOG.warning("The database does not answer: %s", error.orig)
                raise DatabaseUnavailable(reason=str(error.orig)) from error
            raise


class _Kept:
    """Connection objects that go on to the next user: to check one out and in again costs as much as a small query."""

    def __init__(self, engine: Engine, keep: int, recycle: int) -> None:
        self._engine = engine
        self._keep = keep
        self._recycle = recycle
        self._idle: deque[tuple[float, float, Connection]] = deque()
        """When made, when last used."""

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """One that nobody else uses meanwhile; it is kept unless something goes wrong."""
        made, connection = self._take()
        try:
            yield connection
        except BaseException:
            if connection.invalidated:
                self.clear()  # the others have lost their server, too
            connection.close()
            raise
        if len(self._idle) < self._keep:
            self._idle.append((made, time.monotonic(), connection))
        else:
            connection.close()

    def _take(self) -> tuple[float, Connection]:
        while self._idle:
            try:
                made, used, connection = self._idle.pop()
            except IndexError:
                break
            now = time.monotonic()
            if now - used > _TRUSTED_SECONDS and _is_hung_up(connection):
                connection.invalidate()
            elif now - made < self._recycle:
                return made, connection
            connection.close()
        return time.monotonic(), self._engine.connect()

    def clear(self) -> None:
        """Keep none of those that wait."""
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop()[-1].close()


def _is_hung_up(connection: Connection) -> bool:
    """Has the server closed it? Between statements it has nothing to say but that, and nothing is sent to find out."""
    raw: Any = connection.connection.driver_connection
    looked = select.poll()
    try:
        looked.register(getattr(raw, "_sock", raw), select.POLLIN)  # PyMySQL's own has no fileno()
    except (OSError, TypeError, ValueError):  # it is closed here already
        return True
    return bool(looked.poll(0))


class Counter:
    """Counts statements per thread and in total; texts of the last ones are kept for messages of failing tests."""

    def __init__(self) -> None:
        self.total = 0
        self.texts: list[str] = []
        self.keep = False

    def count(self, _conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        """SQLAlchemy's ``before_cursor_execute``."""
        if statement == "BEGIN IMMEDIATE":
            return
        self.total += 1
        if self.keep:
            self.texts.append(statement)

    @contextlib.contextmanager
    def watch(self) -> Iterator[list[str]]:
        """Collects the statements sent (by any thread) while inside."""
        self.keep, start = True, len(self.texts)
        seen: list[str] = []
        try:
            yield seen
        finally:
            seen.extend(self.texts[start:])
            self.keep = False


def _is_away(error: DBAPIError) -> bool:
    """The server or file cannot be reached, as opposed to a statement that it refuses."""
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    args: tuple[Any, ...] = getattr(error.orig, "args", ())
    code = args[0] if args else None
    if isinstance(code, int):
        return code in _AWAY_CODES
    return isinstance(error, OperationalError) and not str(error.orig).startswith(("no such", "near "))


def is_contention(error: DBAPIError) -> bool:
    """Deadlock, lock wait timeout, serialization failure or SQLite's busy: repeating may help."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original) or "busy" in str(original)
    if getattr(original, "sqlstate", None) in _DEADLOCK_CODES:
        return True
    args: tuple[Any, ...] = getattr(original, "args", ())
    if args and args[0] == _NO_SUCH_SAVEPOINT:
        # MySQL ends the whole transaction on a deadlock, and then says this of the savepoint to go back to.
        return "SAVEPOINT" in str(original)
    return bool(args) and args[0] in _DEADLOCK_CODES


def is_bad_pattern(error: DBAPIError) -> bool:
    """The database could not read a regular expression."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return "user-defined function" in str(original)
    if getattr(original, "sqlstate", None) == _BAD_PATTERN:
        return True
    args: tuple[Any, ...] = getattr(original, "args", ())
    return bool(args) and args[0] in _BAD_PATTERNS


def _preferred_driver(url: str) -> str:
    """``mysql://`` and ``postgresql://`` without a driver get one that is installed; ``mariadb`` means ``mysql``."""
    if url.startswith("mariadb"):
        url = f"mysql{url.removeprefix('mariadb')}"  # one dialect, which asks the server which of the two it is
    if url.startswith(("mysql://", "mysql+pymysql://")):
        rest = url.split("://", 1)[1]
        try:
            import MySQLdb  # noqa: F401, PLC0415  # optional accelerator, looked for only when MySQL is used
        except ImportError:
            return f"mysql+pymysql://{rest}"
        return f"mysql+mysqldb://{rest}"
    if url.startswith("postgresql://"):
        return "postgresql+psycopg://" + url.split("://", 1)[1]
    return url


def _engine(url: sa.URL, options: DatabaseOptions, *, reading: bool = False) -> Engine:
    """An engine for transactions, or one for selects alone: without BEGIN and ROLLBACK these cost a third less."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    if url.get_backend_name() == "mysql":
        flags = int(str(url.query.get("client_flag", 0))) | _MULTI_STATEMENTS
        url = url.update_query_dict({"client_flag": str(flags)})
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=options.max_pool_size,
        max_overflow=options.max_overflow,
        pool_timeout=options.pool_timeout or 30,
        pool_recycle=options.connection_recycle_time,
        pool_pre_ping=False,
        isolation_level="AUTOCOMMIT" if reading else "READ COMMITTED",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,  # read() and write() leave no transaction behind; a ROLLBACK more costs a round trip
    )
    if engine.dialect.name == "mysql":
        mode = options.mysql_sql_mode

        @event.listens_for(engine, "connect")
        def _session(dbapi: Any, _record: Any) -> None:
            cursor = dbapi.cursor()
            # Texts put together by the database may be long; MySQL cuts them at a kilobyte by itself.
            cursor.execute("SET SESSION sql_mode = %s, group_concat_max_len = 4294967295", (mode,))
            if reading:  # once() writes there, too
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.close()

    return engine


def _sqlite(url: sa.URL) -> Engine:
    memory = url.database in (None, "", ":memory:")
    arguments: dict[str, Any] = {"check_same_thread": False, "timeout": 30}
    engine = (
        sa.create_engine(url, connect_args=arguments, poolclass=StaticPool)
        if memory
        else sa.create_engine(url, connect_args=arguments, poolclass=QueuePool, pool_size=8, max_overflow=60)
    )

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # transactions are begun below, so that a write takes its lock at once
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    return engine
