"""Resource providers: rows, trees, generations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database, DatabaseBusy
from kilonova.placement.domain.demand import ProviderFilter
from kilonova.placement.domain.errors import (
    ConcurrentUpdate,
    DuplicateName,
    ParentNotFound,
    ParentRefused,
    ProviderHasChildren,
    ProviderInUse,
    ProviderNotFound,
)
from kilonova.placement.store import tables as t
from kilonova.placement.store.filters import provider_conditions
from kilonova.placement.store.names import NameBook

P = t.providers.c
_ROOT = t.providers.alias("root")
_PARENT = t.providers.alias("parent")


class Keep(Enum):
    """The parent stays as it is."""

    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider as the API shows it."""

    id: int
    uuid: str
    name: str
    generation: int
    root_id: int
    parent_id: int | None
    updated_at: datetime
    root_uuid: str
    parent_uuid: str | None


def _select() -> sa.Select[Any]:
    return (
        sa.select(
            P.id,
            P.uuid,
            P.name,
            P.generation,
            P.root_id,
            P.parent_id,
            P.updated_at,
            _ROOT.c.uuid.label("root_uuid"),
            _PARENT.c.uuid.label("parent_uuid"),
        )
        .select_from(t.providers)
        .join(_ROOT, P.root_id == _ROOT.c.id)
        .outerjoin(_PARENT, P.parent_id == _PARENT.c.id)
    )


def _row(row: Any) -> ProviderRow:
    return ProviderRow(*row)


def find(connection: Connection, uuid: str) -> ProviderRow:
    """Raises ProviderNotFound."""
    row = connection.execute(_select().where(P.uuid == uuid)).first()
    if row is None:
        raise ProviderNotFound(uuid=uuid)
    return _row(row)


def claim_generation(connection: Connection, provider: ProviderRow, expected: int | None, now: datetime) -> int:
    """Move the generation on, holding the provider's row until the transaction ends; the new generation.

    Every change to a provider does this first, which orders writers and keeps them from deadlocking. ``expected`` is
    what a request says it saw (None: nothing). Raises ConcurrentUpdate.
    """
    seen = provider.generation if expected is None else expected
    change = sa.update(t.providers).where(P.id == provider.id, P.generation == seen)
    if not connection.execute(change.values(generation=P.generation + 1, updated_at=now)).rowcount:
        if expected is None:
            raise DatabaseBusy(reason=f"resource provider {provider.uuid} changed meanwhile")
        raise ConcurrentUpdate(
            what="resource provider",
            detail=f"provider {provider.uuid} is not at resource_provider_generation {expected}",
        )
    return seen + 1


_MOVE_ON = (
    sa.update(t.providers)
    .where(P.id.in_(sa.bindparam("ids", type_=sa.Integer, expanding=True)))
    .values(generation=P.generation + 1, updated_at=sa.bindparam("now", type_=sa.DateTime))
)


def bump_generations(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Move several generations on, whatever they are. Raises DatabaseBusy when one of the providers is gone."""
    if connection.execute(_MOVE_ON, {"ids": sorted(ids), "now": now}).rowcount != len(ids):
        raise DatabaseBusy(reason="a resource provider was deleted meanwhile")


class Providers:
    """The table of providers."""

    def __init__(self, database: Database, clock: Clock, classes: NameBook, traits: NameBook) -> None:
        self._database = database
        self._clock = clock
        self._classes = classes
        self._traits = traits

    def get(self, uuid: str) -> ProviderRow:
        """Raises ProviderNotFound."""
        with self._database.read() as connection:
            return find(connection, uuid)

    def matching(self, wanted: ProviderFilter) -> Sequence[ProviderRow]:
        """All that fit, by id. Raises UnknownQueryNames."""
        with self._database.read() as connection:
            classes = self._classes.demand(connection, wanted.resources, field="resources") if wanted.resources else {}
            names = wanted.condition.traits
            traits = self._traits.demand(connection, names, field="required") if names else {}
            query = _select().where(*provider_conditions(wanted, classes, traits)).order_by(P.id)
            return [_row(row) for row in connection.execute(query)]

    def create(self, uuid: str, name: str, parent_uuid: str | None) -> ProviderRow:
        """Raises DuplicateName, ParentNotFound."""

        def work(connection: Connection) -> ProviderRow:
            parent = None if parent_uuid is None else _parent(connection, parent_uuid)
            values = {
                "uuid": uuid,
                "name": name,
                "generation": 0,
                "parent_id": parent.id if parent else None,
                "root_id": parent.root_id if parent else None,
                "trait_list": "[]",
                "updated_at": self._clock.now(),
            }
            result = connection.execute(sa.insert(t.providers).values(**values))
            if parent is None:
                own = result.inserted_primary_key[0]  # type: ignore[index]  # an insert of one row has it
                connection.execute(sa.update(t.providers).where(P.id == own).values(root_id=own))
            return find(connection, uuid)

        try:
            return self._database.transact(work)
        except IntegrityError as error:
            raise self._duplicate(uuid, name, parent_uuid) from error

    def _duplicate(self, uuid: str | None, name: str, parent_uuid: str | None) -> DuplicateName | ParentNotFound:
        with self._database.read() as connection:
            if uuid is not None and connection.scalar(sa.select(P.id).where(P.uuid == uuid)):
                return DuplicateName(field="uuid", value=uuid)
            if parent_uuid is not None and not connection.scalar(sa.select(P.id).where(P.uuid == parent_uuid)):
                return ParentNotFound(uuid=parent_uuid)
        return DuplicateName(field="name", value=name)

    def update(self, uuid: str, name: str, parent_uuid: str | Keep | None, *, may_move: bool) -> ProviderRow:
        """Rename and re-parent; the generation stays. ``may_move``: leave a parent, too (API 1.37).

        Raises ProviderNotFound, DuplicateName, ParentNotFound, ParentRefused.
        """

        def work(connection: Connection) -> ProviderRow:
            provider = find(connection, uuid)
            if not isinstance(parent_uuid, Keep) and parent_uuid != provider.parent_uuid:
                _move(connection, provider, parent_uuid, may_move=may_move)
            change = sa.update(t.providers).where(P.id == provider.id)
            connection.execute(change.values(name=name, updated_at=self._clock.now()))
            return find(connection, uuid)

        try:
            return self._database.transact(work)
        except IntegrityError as error:
            raise self._duplicate(None, name, None) from error

    def delete(self, uuid: str) -> None:
        """With its inventory, traits and aggregates. Raises ProviderNotFound, ProviderInUse, ProviderHasChildren."""

        def work(connection: Connection) -> None:
            provider = find(connection, uuid)
            if connection.scalar(sa.select(P.id).where(P.parent_id == provider.id).limit(1)):
                raise ProviderHasChildren(uuid=uuid)
            if connection.scalar(
                sa.select(t.allocations.c.used).where(t.allocations.c.provider_id == provider.id).limit(1)
            ):
                raise ProviderInUse(uuid=uuid)
            claim_generation(connection, provider, None, self._clock.now())
            for table in (t.inventories, t.provider_traits, t.provider_aggregates):
                connection.execute(sa.delete(table).where(table.c.provider_id == provider.id))
            if provider.root_id == provider.id:
                # MariaDB checks a row's reference to itself, too.
                connection.execute(sa.update(t.providers).where(P.id == provider.id).values(root_id=None))
            connection.execute(sa.delete(t.providers).where(P.id == provider.id))

        try:
            self._database.transact(work)
        except IntegrityError as error:
            with self._database.read() as connection:
                provider = find(connection, uuid)
                children = connection.scalar(sa.select(P.id).where(P.parent_id == provider.id).limit(1))
            raise (ProviderHasChildren(uuid=uuid) if children else ProviderInUse(uuid=uuid)) from error


def _parent(connection: Connection, uuid: str) -> ProviderRow:
    try:
        return find(connection, uuid)
    except ProviderNotFound as error:
        raise ParentNotFound(uuid=uuid) from error


def _move(connection: Connection, provider: ProviderRow, parent_uuid: str | None, *, may_move: bool) -> None:
    """Hang a provider and all below it elsewhere; the copies of ``root_id`` follow."""
    if provider.parent_id is not None and not may_move:
        raise ParentRefused(reason="un-setting or changing the parent of a provider is not possible before API 1.37")
    parent = None if parent_uuid is None else _parent(connection, parent_uuid)
    roots = sorted({provider.root_id} | ({parent.root_id} if parent else set()))
    # Locks both trees, so that two moves at once cannot close a circle between them.
    locked = sa.select(P.id, P.parent_id).where(P.root_id.in_(roots)).order_by(P.id).with_for_update()
    parents: Mapping[int, int | None] = {row.id: row.parent_id for row in connection.execute(locked)}
    if provider.id not in parents or (parent is not None and parent.id not in parents):
        raise DatabaseBusy(reason="a tree of resource providers changed meanwhile")
    below = _subtree(parents, provider.id)
    if parent is not None and parent.id in below:
        raise ParentRefused(reason=f"creating loop in the provider tree is not allowed: {parent_uuid} is below it")
    root = parent.root_id if parent else provider.id
    connection.execute(
        sa.update(t.providers).where(P.id == provider.id).values(parent_id=parent.id if parent else None)
    )
    connection.execute(sa.update(t.providers).where(P.id.in_(below)).values(root_id=root))
    for table in (t.inventories, t.provider_traits, t.provider_aggregates):
        connection.execute(sa.update(table).where(table.c.provider_id.in_(below)).values(root_id=root))


def _subtree(parents: Mapping[int, int | None], top: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(child)
    found = [top]
    for member in found:
        found.extend(children.get(member, ()))
    return sorted(found)
