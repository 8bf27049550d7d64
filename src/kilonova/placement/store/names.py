"""Resource classes and traits: names and their ids.

An id keeps its name for ever (a rename makes a new row), so what was read once may be remembered. Whether a *custom*
name is there is asked of the database each time, since another process may have deleted it; standard names stay.
"""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database, DatabaseBusy
from kilonova.placement.domain.errors import NameInUse, NameNotFound, NameTaken, UnknownNames, UnknownQueryNames
from kilonova.placement.domain.names import is_custom
from kilonova.placement.store import tables as t


@dataclass(frozen=True, slots=True)
class Named:
    """A class or trait."""

    id: int
    name: str
    updated_at: datetime


class NameBook:
    """One of the two tables of names. ``kind`` is the word for messages."""

    def __init__(self, kind: str, table: sa.Table, database: Database, clock: Clock) -> None:
        self.kind = kind
        self.table = table
        self._database = database
        self._clock = clock
        self._name_of: dict[int, str] = {}
        self._standard: dict[str, int] = {}
        self._lock = threading.Lock()

    def ensure_standard(self, names: Iterable[str]) -> None:
        """Add what is missing of ``names``; other processes may be doing the same."""
        wanted = list(names)

        def work(connection: Connection) -> None:
            known = set(connection.scalars(sa.select(self.table.c.name)))
            rows = [{"name": n, "updated_at": self._clock.now()} for n in wanted if n not in known]
            if not rows:
                return
            try:
                connection.execute(sa.insert(self.table), rows)
            except IntegrityError as error:
                raise DatabaseBusy(reason=f"{self.kind} names are being added by another process") from error

        self._database.transact(work)
        self._load()

    def _load(self, connection: Connection | None = None) -> None:
        query = sa.select(self.table.c.id, self.table.c.name)
        if connection is None:
            with self._database.read() as reading:
                rows = reading.execute(query).all()
        else:
            rows = connection.execute(query).all()
        with self._lock:
            self._name_of = {row.id: row.name for row in rows}
            self._standard = {row.name: row.id for row in rows if not is_custom(row.name)}

    def ids(self, connection: Connection, names: Collection[str]) -> dict[str, int]:
        """Ids of those names that exist."""
        found = {n: self._standard[n] for n in names if n in self._standard}
        rest = [n for n in names if n not in found]
        if rest:
            query = sa.select(self.table.c.name, self.table.c.id).where(self.table.c.name.in_(rest))
            found.update({row.name: row.id for row in connection.execute(query)})
        return found

    def demand(self, connection: Connection, names: Collection[str], *, field: str | None = None) -> dict[str, int]:
        """Ids of all names. Raises UnknownNames, or UnknownQueryNames with ``field``."""
        found = self.ids(connection, names)
        missing = sorted(set(names) - found.keys())
        if missing and field is not None:
            raise UnknownQueryNames(field=field, kind=self.kind, names=", ".join(missing))
        if missing:
            raise UnknownNames(kind=self.kind, names=", ".join(missing))
        return found

    def names(self, connection: Connection, ids: Collection[int]) -> Mapping[int, str]:
        """At least the names of ``ids`` (of rows that exist)."""
        if any(i not in self._name_of for i in ids):
            self._load(connection)
        return self._name_of

    def get(self, name: str) -> Named:
        """Raises NameNotFound."""
        with self._database.read() as connection:
            return self._get(connection, name)

    def _get(self, connection: Connection, name: str) -> Named:
        row = connection.execute(sa.select(self.table).where(self.table.c.name == name)).first()
        if row is None:
            raise NameNotFound(kind=self.kind, name=name)
        return Named(row.id, row.name, row.updated_at)

    def matching(self, *conditions: sa.ColumnElement[bool]) -> Sequence[Named]:
        """All that fit, by id."""
        query = sa.select(self.table).where(*conditions).order_by(self.table.c.id)
        with self._database.read() as connection:
            return [Named(row.id, row.name, row.updated_at) for row in connection.execute(query)]

    def create(self, name: str) -> None:
        """Raises NameTaken."""
        try:
            with self._database.write() as connection:
                connection.execute(sa.insert(self.table).values(name=name, updated_at=self._clock.now()))
        except IntegrityError as error:
            raise NameTaken(kind=self.kind, name=name) from error

    def ensure(self, name: str) -> bool:
        """Make sure of it; was it new?"""
        with self._database.read() as connection:
            if self.ids(connection, [name]):
                return False
        try:
            self.create(name)
        except NameTaken:
            return False
        return True

    def delete(self, name: str) -> None:
        """Raises NameNotFound, NameInUse."""
        try:
            with self._database.write() as connection:
                gone = connection.execute(sa.delete(self.table).where(self.table.c.name == name)).rowcount
        except IntegrityError as error:
            raise NameInUse(kind=self.kind, name=name) from error
        if not gone:
            raise NameNotFound(kind=self.kind, name=name)


def traits_matching(
    prefix: str | None, names: Sequence[str] | None, *, used: bool | None
) -> list[sa.ColumnElement[bool]]:
    """Conditions on the trait table: name filters, and being (or not being) a provider's."""
    found: list[sa.ColumnElement[bool]] = []
    if prefix is not None:
        found.append(t.traits.c.name.startswith(prefix, autoescape=True))
    if names is not None:
        found.append(t.traits.c.name.in_(names))
    if used is not None:
        some = sa.exists().where(t.provider_traits.c.trait_id == t.traits.c.id)
        found.append(some if used else ~some)
    return found


def rename_class(database: Database, clock: Clock, old: str, new: str) -> None:
    """Give a custom class another name. Raises NameNotFound, NameTaken.

    What uses the class moves to a new row: an id never changes its name.
    """
    c = t.classes.c

    def work(connection: Connection) -> None:
        old_id = connection.scalar(sa.select(c.id).where(c.name == old))
        if old_id is None:
            raise NameNotFound(kind="resource class", name=old)
        try:
            connection.execute(sa.insert(t.classes).values(name=new, updated_at=clock.now()))
        except IntegrityError as error:
            raise NameTaken(kind="resource class", name=new) from error
        new_id = connection.scalar(sa.select(c.id).where(c.name == new))
        holders = sa.select(t.inventories.c.provider_id).where(t.inventories.c.class_id == old_id)
        moved_on = sa.update(t.providers).where(t.providers.c.id.in_(holders))
        connection.execute(moved_on.values(generation=t.providers.c.generation + 1))
        columns = [col for col in t.inventories.c if col.name not in ("class_id", "claimable")]
        copied = sa.select(*columns, sa.literal(new_id).label("class_id")).where(t.inventories.c.class_id == old_id)
        names = [*(col.name for col in columns), "class_id"]
        connection.execute(sa.insert(t.inventories).from_select(names, copied))
        moved = sa.update(t.allocations).where(t.allocations.c.class_id == old_id).values(class_id=new_id)
        connection.execute(moved)
        connection.execute(sa.delete(t.inventories).where(t.inventories.c.class_id == old_id))
        connection.execute(sa.delete(t.classes).where(c.id == old_id))

    database.transact(work)
