"""Traits and aggregates of providers."""

import uuid as uuids
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit import codec
from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database, DatabaseBusy
from kilonova.placement.store import tables as t
from kilonova.placement.store.names import NameBook, Named
from kilonova.placement.store.providers import ProviderRow, claim_generation, find

G = t.aggregates.c


class ProviderTraits:
    """Which traits a provider has."""

    def __init__(self, database: Database, clock: Clock, traits: NameBook) -> None:
        self._database = database
        self._clock = clock
        self._traits = traits

    def of(self, uuid: str) -> tuple[ProviderRow, list[Named]]:
        """By name. Raises ProviderNotFound."""
        with self._database.read() as connection:
            return self._read(connection, find(connection, uuid))

    def _read(self, connection: Connection, provider: ProviderRow) -> tuple[ProviderRow, list[Named]]:
        query = (
            sa.select(t.traits.c.id, t.traits.c.name, t.traits.c.updated_at)
            .join(t.provider_traits, t.provider_traits.c.trait_id == t.traits.c.id)
            .where(t.provider_traits.c.provider_id == provider.id)
            .order_by(t.traits.c.name)
        )
        return provider, [Named(*row) for row in connection.execute(query)]

    def replace(self, uuid: str, names: Collection[str], generation: int | None) -> tuple[int, list[Named]]:
        """Make these the provider's traits; the generation, which moves on only if they differ, and the traits.

        Raises ProviderNotFound, UnknownNames, ConcurrentUpdate.
        """

        def work(connection: Connection) -> tuple[int, list[Named]]:
            provider = find(connection, uuid)
            ids = set(self._traits.demand(connection, set(names)).values())
            _, present = self._read(connection, provider)
            if {one.id for one in present} == ids and generation in (None, provider.generation):
                return provider.generation, present
            moved = claim_generation(connection, provider, generation, self._clock.now())
            _replace_rows(connection, t.provider_traits, "trait_id", provider, ids)
            text = codec.text(sorted(set(names)))
            connection.execute(sa.update(t.providers).where(t.providers.c.id == provider.id).values(trait_list=text))
            return moved, self._read(connection, provider)[1]

        try:
            return self._database.transact(work)
        except IntegrityError as error:
            raise DatabaseBusy(reason="one of the traits is being deleted") from error


class ProviderAggregates:
    """Which aggregates a provider is in. An aggregate is only its uuid; it is there once somebody is in it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, uuid: str) -> tuple[ProviderRow, list[str]]:
        """Raises ProviderNotFound."""
        with self._database.read() as connection:
            provider = find(connection, uuid)
            query = (
                sa.select(G.uuid)
                .join(t.provider_aggregates, t.provider_aggregates.c.aggregate_id == G.id)
                .where(t.provider_aggregates.c.provider_id == provider.id)
                .order_by(G.uuid)
            )
            return provider, list(connection.scalars(query))

    def replace(self, uuid: str, aggregates: Sequence[str], generation: int | None, *, counted: bool) -> int:
        """Make these the provider's aggregates; the new generation. ``counted``: generations matter (API 1.19).

        Raises ProviderNotFound, ConcurrentUpdate.
        """
        wanted = sorted({str(uuids.UUID(one)) for one in aggregates})

        def work(connection: Connection) -> int:
            provider = find(connection, uuid)
            moved = provider.generation
            if counted:
                moved = claim_generation(connection, provider, generation, self._clock.now())
            _replace_rows(
                connection, t.provider_aggregates, "aggregate_id", provider, set(_ensured(connection, wanted))
            )
            return moved

        return self._database.transact(work)


def _ensured(connection: Connection, wanted: Sequence[str]) -> list[int]:
    if not wanted:
        return []
    query = sa.select(G.id, G.uuid).where(G.uuid.in_(wanted))
    known = {row.uuid: row.id for row in connection.execute(query)}
    missing = [{"uuid": one} for one in wanted if one not in known]
    if missing:
        try:
            connection.execute(sa.insert(t.aggregates), missing)
        except IntegrityError as error:
            raise DatabaseBusy(reason="another request adds the same aggregate") from error
        known = {row.uuid: row.id for row in connection.execute(query)}
    return list(known.values())


def _replace_rows(
    connection: Connection, table: sa.Table, column: str, provider: ProviderRow, wanted: set[int]
) -> None:
    """Make ``wanted`` the provider's rows, touching only what differs."""
    mine = table.c.provider_id == provider.id
    present = set(connection.scalars(sa.select(table.c[column]).where(mine)))
    gone = sorted(present - wanted)
    if gone:
        connection.execute(sa.delete(table).where(mine, table.c[column].in_(gone)))
    fresh = [{column: i, "provider_id": provider.id, "root_id": provider.root_id} for i in sorted(wanted - present)]
    if not fresh:
        return
    try:
        connection.execute(sa.insert(table), fresh)
    except IntegrityError as error:
        raise DatabaseBusy(reason=f"{table.name} changed meanwhile") from error


def newest(rows: Sequence[Named]) -> datetime | None:
    """When the last of them was written."""
    return max((row.updated_at for row in rows), default=None)
