"""Allocations: reading them, and replacing what consumers hold in one transaction.

A claim locks in one order, consumers → providers → inventories, each by id, and changes ``used`` by an UPDATE that
carries the capacity as its guard, so two claims can neither over-commit nor wait for each other in a circle.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database, DatabaseBusy
from kilonova.kit.db.script import Unmet
from kilonova.placement.domain.claims import Claim, Place, Slot, Unchecked, changes, check_room, check_units
from kilonova.placement.domain.errors import ConcurrentUpdate, NoSuchProvider
from kilonova.placement.domain.inventory import Stock
from kilonova.placement.store import tables as t
from kilonova.placement.store.first_claim import first_claim
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.providers import ProviderRow, bump_generations, find

A = t.allocations.c
C = t.consumers.c
INV = t.inventories.c
P = t.providers.c
_SLOTS_A_STATEMENT = 64
_MOST_REMEMBERED = 100_000
_MOST_AT_ONCE = 16
"""Inventories of a claim that goes out in one message; the text for each shape of such a claim is kept."""


def _several(name: str, of: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=of, expanding=True)


# Statements of each claim, put together once.
_PRESENT = (
    sa.select(C.id, C.uuid, C.generation, C.project_id, C.user_id, C.consumer_type, A.provider_id, A.class_id, A.used)
    .outerjoin(t.allocations, A.consumer_id == C.id)
    .where(C.uuid.in_(_several("uuids", sa.String())))
)
_STOCKS = (
    sa.select(P.id, P.uuid, INV.class_id, INV.capacity, INV.used, INV.min_unit, INV.max_unit, INV.step_size)
    .outerjoin(t.inventories, sa.and_(INV.provider_id == P.id, INV.class_id.in_(_several("classes", sa.Integer()))))
    .where(P.uuid.in_(_several("uuids", sa.String())))
)
_PROVIDER_IDS = sa.select(P.uuid, P.id).where(P.uuid.in_(_several("uuids", sa.String())))
_NEW_CONSUMER = sa.insert(t.consumers)
_NEW = sa.insert(t.allocations)
_DROP = sa.delete(t.allocations).where(A.consumer_id.in_(_several("ids", t.BIG_ID)))
_FORGET = sa.delete(t.consumers).where(C.id.in_(_several("ids", t.BIG_ID)))
_CONSUMER_IDS = sa.select(C.uuid, C.id).where(C.uuid.in_(_several("uuids", sa.String())))
_OF_CONSUMER = (
    sa.select(
        C.uuid,
        C.generation,
        C.project_id,
        C.user_id,
        C.consumer_type,
        A.class_id,
        A.used,
        A.updated_at,
        P.uuid.label("provider"),
        P.generation.label("provider_generation"),
    )
    .join(A.consumer_id.table, A.consumer_id == C.id)
    .join(t.providers, P.id == A.provider_id)
    .where(C.uuid == sa.bindparam("consumer"))
    .order_by(P.id, A.class_id)
)


@dataclass(slots=True)
class Holding:
    """What a consumer holds of one provider."""

    provider: str
    generation: int
    resources: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Consumer:
    """A consumer with all it holds."""

    uuid: str
    generation: int
    project_id: str
    user_id: str
    consumer_type: str | None
    updated_at: datetime
    holdings: dict[str, Holding] = field(default_factory=dict)
    """By provider uuid."""


@dataclass(slots=True)
class _Present:
    """A consumer as a claim finds it."""

    id: int
    generation: int
    owner: tuple[str, str, str | None]
    slots: dict[Slot, int] = field(default_factory=dict)


class Allocations:
    """The table of allocations with its consumers."""

    def __init__(
        self, database: Database, clock: Clock, classes: NameBook, placeholder: tuple[str, str], ids: dict[str, int]
    ) -> None:
        """``placeholder``: project and user of consumers made by API versions that do not name them.

        ``ids``: what is known of providers' ids by their uuids. An id never gets another uuid, and one that is gone
        updates no row.
        """
        self._database = database
        self._clock = clock
        self._classes = classes
        self._placeholder = placeholder
        self._ids = ids

    def of_consumer(self, uuid: str) -> Consumer | None:
        """None when it holds nothing."""
        with self._database.read() as connection:
            rows = connection.execute(_OF_CONSUMER, {"consumer": uuid}).all()
            names = self._classes.names(connection, {row.class_id for row in rows})
        return _consumer(rows, names)

    def of_provider(self, uuid: str) -> tuple[ProviderRow, dict[str, dict[str, int]], dict[str, int]]:
        """The provider, amounts by consumer and class, generations by consumer. Raises ProviderNotFound."""
        with self._database.read() as connection:
            provider = find(connection, uuid)
            query = (
                sa.select(C.uuid, C.generation, A.class_id, A.used)
                .join(t.allocations, A.consumer_id == C.id)
                .where(A.provider_id == provider.id)
                .order_by(C.id, A.class_id)
            )
            rows = connection.execute(query).all()
            names = self._classes.names(connection, {row.class_id for row in rows})
        held: dict[str, dict[str, int]] = {}
        for row in rows:
            held.setdefault(row.uuid, {})[names[row.class_id]] = row.used
        return provider, held, {row.uuid: row.generation for row in rows}

    def replace(self, claims: Sequence[Claim]) -> None:
        """Make each consumer hold exactly what its claim says, all or nothing.

        Raises NoSuchProvider, UnknownNames, ConcurrentUpdate, ClaimRefused.
        """
        if len(claims) == 1 and claims[0].generation is None and self._hoped(claims[0]):
            return
        self._database.transact(lambda connection: self.apply(connection, claims))

    def _hoped(self, claim: Claim) -> bool:
        """``apply`` for a consumer that must be new, all in one message; False when something is not as hoped.

        Nothing need be read: the guard of each statement tells whether all is well. ``apply`` finds out why not.
        """
        names = sorted({name for resources in claim.allocations.values() for name in resources})
        with self._database.read() as connection:
            classes = self._classes.ids(connection, names)
            unknown = [uuid for uuid in claim.allocations if uuid not in self._ids]
            if unknown:
                rows = connection.execute(_PROVIDER_IDS, {"uuids": unknown})
                self._remember({row.uuid: row.id for row in rows})
        wanted = sorted(
            (self._ids.get(uuid, 0), sorted((classes.get(name, 0), amount) for name, amount in resources.items()))
            for uuid, resources in claim.allocations.items()
        )
        shape = tuple(len(amounts) for _, amounts in wanted)
        if not shape or not all(shape) or sum(shape) > _MOST_AT_ONCE:
            return False
        project, user = self._placeholder
        values: dict[str, Any] = {
            "uuid": claim.consumer,
            "project": claim.project_id or project,
            "user": claim.user_id or user,
            "kind": claim.consumer_type,
            "now": self._clock.now(),
        }
        for i, (provider_id, amounts) in enumerate(wanted):
            values[f"p{i}"] = provider_id
            for j, (class_id, amount) in enumerate(amounts):
                values[f"c{i}_{j}"], values[f"n{i}_{j}"] = class_id, amount
        try:
            self._database.play(first_claim(shape), values)
        except (Unmet, IntegrityError, DatabaseBusy):
            return False
        return True

    def release(self, consumer: str) -> bool:
        """Drop all a consumer holds; was there anything?"""

        def work(connection: Connection) -> bool:
            present = self._present(connection, [consumer])
            if not present:
                return False
            self._write(connection, [Claim(consumer=consumer, allocations={})], present, {})
            return True

        return self._database.transact(work)

    def apply(self, connection: Connection, claims: Sequence[Claim]) -> None:
        """``replace`` within a transaction of the caller."""
        present = self._present(connection, [claim.consumer for claim in claims])
        for claim in claims:
            found = present.get(claim.consumer)
            claim.check_generation(None if found is None else found.generation)
        places, wanted = self._places(connection, claims)
        for slots in wanted.values():
            check_units(places, sorted(slots.items()))
        check_room(places, _changes(present, wanted))
        self._write(connection, claims, present, wanted)

    def _present(self, connection: Connection, uuids: Sequence[str]) -> dict[str, _Present]:
        found: dict[str, _Present] = {}
        for row in connection.execute(_PRESENT, {"uuids": list(uuids)}):
            owner = (row.project_id, row.user_id, row.consumer_type)
            consumer = found.setdefault(row.uuid, _Present(row.id, row.generation, owner))
            if row.provider_id is not None:
                consumer.slots[row.provider_id, row.class_id] = row.used
        return found

    def _places(
        self, connection: Connection, claims: Sequence[Claim]
    ) -> tuple[dict[Slot, Place], dict[str, dict[Slot, int]]]:
        """The inventories that claims name, and the claims by their ids."""
        uuids = sorted({uuid for claim in claims for uuid in claim.allocations})
        names = sorted({n for claim in claims for resources in claim.allocations.values() for n in resources})
        if not uuids:
            return {}, {}
        classes = self._classes.demand(connection, names)
        stocks = _stocks(connection, uuids, list(classes.values()))
        missing = [uuid for uuid in uuids if uuid not in stocks]
        if missing:
            raise NoSuchProvider(uuid=missing[0])
        self._remember({uuid: provider_id for uuid, (provider_id, _) in stocks.items()})
        places: dict[Slot, Place] = {}
        wanted: dict[str, dict[Slot, int]] = {}
        for claim in claims:
            for uuid, resources in claim.allocations.items():
                provider_id, inventory = stocks[uuid]
                for name, amount in resources.items():
                    slot = (provider_id, classes[name])
                    places[slot] = Place(uuid, name, inventory.get(classes[name]))
                    wanted.setdefault(claim.consumer, {})[slot] = amount
        return places, wanted

    def _remember(self, ids: Mapping[str, int]) -> None:
        if len(self._ids) > _MOST_REMEMBERED:
            self._ids.clear()
        self._ids.update(ids)

    def _write(
        self,
        connection: Connection,
        claims: Sequence[Claim],
        present: Mapping[str, _Present],
        wanted: Mapping[str, Mapping[Slot, int]],
    ) -> None:
        now = self._clock.now()
        ids = self._write_consumers(
            connection, [c for c in claims if c.consumer in wanted or c.consumer in present], present, now
        )
        touched = {slot[0] for p in present.values() for slot in p.slots} | {
            slot[0] for slots in wanted.values() for slot in slots
        }
        if touched:
            bump_generations(connection, touched, now)
        _use(connection, _changes(present, wanted))
        held = sorted(p.id for p in present.values() if p.slots)
        if held:
            connection.execute(_DROP, {"ids": held})
        rows = [
            {"consumer_id": ids[uuid], "provider_id": slot[0], "class_id": slot[1], "used": amount, "updated_at": now}
            for uuid, slots in wanted.items()
            for slot, amount in sorted(slots.items())
        ]
        if rows:
            connection.execute(_NEW, rows)
        empty = sorted(p.id for uuid, p in present.items() if uuid not in wanted)
        if empty:
            connection.execute(_FORGET, {"ids": empty})

    def _write_consumers(
        self, connection: Connection, claims: Sequence[Claim], present: Mapping[str, _Present], now: datetime
    ) -> dict[str, int]:
        """New consumers in, known ones moved on; their ids. Locks the rows of the known ones."""
        fresh = [claim for claim in claims if claim.consumer not in present]
        known = sorted((claim for claim in claims if claim.consumer in present), key=lambda c: present[c.consumer].id)
        ids = {claim.consumer: present[claim.consumer].id for claim in known}
        if known:
            _move_on(connection, known, present, now)
        if fresh:
            ids |= self._insert_consumers(connection, fresh, now)
        return ids

    def _insert_consumers(self, connection: Connection, fresh: Sequence[Claim], now: datetime) -> dict[str, int]:
        project, user = self._placeholder
        rows = [
            {
                "uuid": claim.consumer,
                "generation": 1,
                "project_id": claim.project_id or project,
                "user_id": claim.user_id or user,
                "consumer_type": claim.consumer_type,
                "updated_at": now,
            }
            for claim in fresh
        ]
        try:
            if len(rows) == 1:
                own = connection.execute(_NEW_CONSUMER, rows[0]).inserted_primary_key
                return {fresh[0].consumer: own[0]}  # type: ignore[index]  # an insert of one row has it
            connection.execute(_NEW_CONSUMER, rows)
        except IntegrityError as error:
            _raise_raced(fresh, error)
        uuids = [claim.consumer for claim in fresh]
        return {row.uuid: row.id for row in connection.execute(_CONSUMER_IDS, {"uuids": uuids})}


def _raise_raced(claims: Sequence[Claim], error: Exception | None = None) -> None:
    """Another claim for a consumer came first: those that named a generation lost, others try again."""
    for claim in claims:
        if not isinstance(claim.generation, Unchecked):
            detail = f"consumer {claim.consumer} was changed by another request meanwhile"
            raise ConcurrentUpdate(what="consumer", detail=detail) from error
    raise DatabaseBusy(reason="a consumer was changed by another request meanwhile") from error


def _owner(claim: Claim, present: _Present) -> tuple[str, str, str | None]:
    project, user, kind = present.owner
    return claim.project_id or project, claim.user_id or user, claim.consumer_type or kind


def _move_on(connection: Connection, claims: Sequence[Claim], present: Mapping[str, _Present], now: datetime) -> None:
    """Generations by compare-and-swap: what was read is what is replaced. Owners follow the claims."""
    same = [claim for claim in claims if _owner(claim, present[claim.consumer]) == present[claim.consumer].owner]
    batches = [(same, None), *(([c], _owner(c, present[c.consumer])) for c in claims if c not in same)]
    for batch, owner in batches:
        if not batch:
            continue
        seen = [sa.and_(C.id == present[c.consumer].id, C.generation == present[c.consumer].generation) for c in batch]
        values: dict[str, Any] = {"generation": C.generation + 1, "updated_at": now}
        if owner is not None:
            values |= {"project_id": owner[0], "user_id": owner[1], "consumer_type": owner[2]}
        if connection.execute(sa.update(t.consumers).where(sa.or_(*seen)).values(**values)).rowcount != len(batch):
            _raise_raced(batch)


def _changes(present: Mapping[str, _Present], wanted: Mapping[str, Mapping[Slot, int]]) -> dict[Slot, int]:
    return changes(_sum([p.slots for p in present.values()]), _sum(list(wanted.values())))


def _sum(parts: Sequence[Mapping[Slot, int]]) -> dict[Slot, int]:
    found: dict[Slot, int] = {}
    for part in parts:
        for slot, amount in part.items():
            found[slot] = found.get(slot, 0) + amount
    return found


def _stocks(
    connection: Connection, uuids: Sequence[str], class_ids: Sequence[int]
) -> dict[str, tuple[int, dict[int, Stock]]]:
    """Provider uuid → (id, stock by class id)."""
    found: dict[str, tuple[int, dict[int, Stock]]] = {}
    for row in connection.execute(_STOCKS, {"uuids": list(uuids), "classes": list(class_ids)}):
        _, stocks = found.setdefault(row.uuid, (row.id, {}))
        if row.class_id is not None:
            stocks[row.class_id] = Stock(row.capacity, row.used, row.min_unit, row.max_unit, row.step_size)
    return found


def _use(connection: Connection, deltas: Mapping[Slot, int]) -> None:
    """Change ``used`` of each inventory, growing ones only within their capacity.

    Raises DatabaseBusy when one did not fit: others came first, and the next attempt reads what they left.
    """
    slots = list(deltas.items())
    for start in range(0, len(slots), _SLOTS_A_STATEMENT):
        part = slots[start : start + _SLOTS_A_STATEMENT]
        values = {
            name: value
            for i, ((provider_id, class_id), delta) in enumerate(part)
            for name, value in ((f"p{i}", provider_id), (f"c{i}", class_id), (f"d{i}", delta))
        }
        if connection.execute(_guarded(len(part)), values).rowcount != len(part):
            raise DatabaseBusy(reason="inventories were claimed by other requests meanwhile")


@functools.lru_cache(maxsize=_SLOTS_A_STATEMENT)
def _guarded(count: int) -> sa.Update:
    """One UPDATE of ``count`` inventories; binds p0, c0, d0 … (provider, class, difference)."""

    def row(i: int) -> sa.ColumnElement[bool]:
        return sa.and_(
            INV.provider_id == sa.bindparam(f"p{i}", type_=sa.Integer),
            INV.class_id == sa.bindparam(f"c{i}", type_=sa.Integer),
        )

    def delta(i: int) -> sa.BindParameter[int]:
        return sa.bindparam(f"d{i}", type_=sa.BigInteger)

    change = sa.case(*((row(i), delta(i)) for i in range(count)), else_=0)

    def fits(i: int) -> sa.ColumnElement[bool]:
        return sa.and_(row(i), sa.or_(INV.used + delta(i) <= INV.capacity, delta(i) < 0))

    return sa.update(t.inventories).where(sa.or_(*(fits(i) for i in range(count)))).values(used=INV.used + change)


def _consumer(rows: Sequence[Any], names: Mapping[int, str]) -> Consumer | None:
    if not rows:
        return None
    first = rows[0]
    newest = max(row.updated_at for row in rows)
    found = Consumer(first.uuid, first.generation, first.project_id, first.user_id, first.consumer_type, newest)
    for row in rows:
        holding = found.holdings.setdefault(row.provider, Holding(row.provider, row.provider_generation))
        holding.resources[names[row.class_id]] = row.used
    return found
