"""Moving inventories and allocations between providers in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database
from kilonova.placement.domain.claims import Claim
from kilonova.placement.domain.errors import NoSuchProvider, ProviderNotFound
from kilonova.placement.domain.inventory import Inventory
from kilonova.placement.store import tables as t
from kilonova.placement.store.allocations import Allocations
from kilonova.placement.store.inventories import drop, put
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.providers import ProviderRow, claim_generation, find


@dataclass(frozen=True, slots=True)
class Shape:
    """All inventory that a provider is to have."""

    uuid: str
    generation: int
    inventories: Mapping[str, Inventory]


class Reshaper:
    """Applies shapes and claims together."""

    def __init__(self, database: Database, clock: Clock, classes: NameBook, allocations: Allocations) -> None:
        self._database = database
        self._clock = clock
        self._classes = classes
        self._allocations = allocations

    def apply(self, shapes: Sequence[Shape], claims: Sequence[Claim]) -> None:
        """New inventory first, then the claims, then what is no longer wanted goes.

        Raises NoSuchProvider, UnknownNames, ConcurrentUpdate, ClaimRefused, InventoryInUse.
        """

        def work(connection: Connection) -> None:
            found = sorted((_found(connection, shape) for shape in shapes), key=lambda pair: pair[0].id)
            gone = [(provider, self._grow(connection, provider, shape)) for provider, shape in found]
            self._allocations.apply(connection, claims)
            for provider, classes in gone:
                drop(connection, provider, classes)

        self._database.transact(work)

    def _grow(self, connection: Connection, provider: ProviderRow, shape: Shape) -> dict[int, str]:
        """Write what is wanted; the classes that are to go (id → name)."""
        now = self._clock.now()
        ids = self._classes.demand(connection, shape.inventories.keys())
        claim_generation(connection, provider, shape.generation, now)
        c = t.inventories.c
        present = set(connection.scalars(sa.select(c.class_id).where(c.provider_id == provider.id)))
        wanted = {ids[name]: inventory for name, inventory in shape.inventories.items()}
        put(connection, provider, wanted, present, now)
        names = self._classes.names(connection, present)
        return {i: names[i] for i in present - wanted.keys()}


def _found(connection: Connection, shape: Shape) -> tuple[ProviderRow, Shape]:
    try:
        return find(connection, shape.uuid), shape
    except ProviderNotFound as error:
        raise NoSuchProvider(uuid=shape.uuid) from error
