"""Inventories of providers. ``used`` changes only with allocations; everything else only here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database
from kilonova.placement.domain.errors import (
    InventoryExists,
    InventoryInUse,
    InventoryNotFound,
    NoInventoryToDelete,
    NoInventoryToUpdate,
)
from kilonova.placement.domain.inventory import Inventory
from kilonova.placement.store import tables as t
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.providers import ProviderRow, claim_generation, find

INV = t.inventories.c


@dataclass(frozen=True, slots=True)
class Held:
    """An inventory, how much of it is used, and when it was last written."""

    inventory: Inventory
    used: int
    updated_at: datetime


def _values(inventory: Inventory, now: datetime) -> dict[str, Any]:
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
        "capacity": inventory.capacity,
        "updated_at": now,
    }


def _held(row: Any) -> Held:
    inventory = Inventory(
        total=row.total,
        reserved=row.reserved,
        min_unit=row.min_unit,
        max_unit=row.max_unit,
        step_size=row.step_size,
        allocation_ratio=row.allocation_ratio,
    )
    return Held(inventory, row.used, row.updated_at)


def put(
    connection: Connection,
    provider: ProviderRow,
    wanted: Mapping[int, Inventory],
    present: Collection[int],
    now: datetime,
) -> None:
    """Write inventories by class id; those in ``present`` exist and keep their use."""
    for class_id in sorted(wanted.keys() & set(present)):
        where = (INV.provider_id == provider.id, INV.class_id == class_id)
        connection.execute(sa.update(t.inventories).where(*where).values(**_values(wanted[class_id], now)))
    fresh = [
        {"provider_id": provider.id, "class_id": c, "root_id": provider.root_id, "used": 0, **_values(wanted[c], now)}
        for c in sorted(wanted.keys() - set(present))
    ]
    if fresh:
        connection.execute(sa.insert(t.inventories), fresh)


def drop(connection: Connection, provider: ProviderRow, gone: Mapping[int, str]) -> None:
    """Remove inventories (class id → name). Raises InventoryInUse."""
    if not gone:
        return
    where = (INV.provider_id == provider.id, INV.class_id.in_(sorted(gone)))
    used = connection.scalars(sa.select(INV.class_id).where(*where, INV.used > 0)).all()
    if used:
        raise InventoryInUse(classes=", ".join(sorted(gone[i] for i in used)), uuid=provider.uuid)
    try:
        connection.execute(sa.delete(t.inventories).where(*where))
    except IntegrityError as error:
        raise InventoryInUse(classes=", ".join(sorted(gone.values())), uuid=provider.uuid) from error


class Inventories:
    """Reading and writing inventories of one provider at a time."""

    def __init__(self, database: Database, clock: Clock, classes: NameBook) -> None:
        self._database = database
        self._clock = clock
        self._classes = classes

    def of(self, uuid: str) -> tuple[ProviderRow, dict[str, Held]]:
        """The provider and its inventories by class, by name. Raises ProviderNotFound."""
        with self._database.read() as connection:
            provider = find(connection, uuid)
            rows = connection.execute(sa.select(t.inventories).where(INV.provider_id == provider.id)).all()
            names = self._classes.names(connection, [row.class_id for row in rows])
        found = {names[row.class_id]: _held(row) for row in rows}
        return provider, dict(sorted(found.items()))

    def get(self, uuid: str, name: str) -> tuple[ProviderRow, Held]:
        """Raises ProviderNotFound, InventoryNotFound."""
        provider, found = self.of(uuid)
        if name not in found:
            raise InventoryNotFound(name=name, uuid=uuid)
        return provider, found[name]

    def replace(self, uuid: str, wanted: Mapping[str, Inventory], generation: int | None) -> int:
        """Make these the provider's inventories; the new generation.

        Raises ProviderNotFound, UnknownNames, ConcurrentUpdate, InventoryInUse.
        """

        def work(connection: Connection) -> int:
            provider = find(connection, uuid)
            ids = self._classes.demand(connection, wanted.keys())
            now = self._clock.now()
            moved = claim_generation(connection, provider, generation, now)
            self._replace(connection, provider, {ids[name]: wanted[name] for name in wanted}, now)
            return moved

        return self._database.transact(work)

    def _replace(
        self, connection: Connection, provider: ProviderRow, wanted: Mapping[int, Inventory], now: datetime
    ) -> None:
        present = set(connection.scalars(sa.select(INV.class_id).where(INV.provider_id == provider.id)))
        names = self._classes.names(connection, present)
        drop(connection, provider, {i: names[i] for i in present - wanted.keys()})
        put(connection, provider, wanted, present, now)

    def add(self, uuid: str, name: str, inventory: Inventory, generation: int | None) -> int:
        """Inventory of one more class; the new generation.

        Raises ProviderNotFound, UnknownNames, ConcurrentUpdate, InventoryExists.
        """

        def work(connection: Connection) -> int:
            provider = find(connection, uuid)
            class_id = self._classes.demand(connection, [name])[name]
            now = self._clock.now()
            moved = claim_generation(connection, provider, generation, now)
            try:
                put(connection, provider, {class_id: inventory}, (), now)
            except IntegrityError as error:
                raise InventoryExists(name=name, uuid=uuid) from error
            return moved

        return self._database.transact(work)

    def change(self, uuid: str, name: str, inventory: Inventory, generation: int) -> int:
        """New values for one class; the new generation.

        Raises ProviderNotFound, ConcurrentUpdate, NoInventoryToUpdate.
        """

        def work(connection: Connection) -> int:
            provider = find(connection, uuid)
            class_id = self._classes.ids(connection, [name]).get(name)
            now = self._clock.now()
            moved = claim_generation(connection, provider, generation, now)
            where = (INV.provider_id == provider.id, INV.class_id == class_id)
            if not connection.execute(
                sa.update(t.inventories).where(*where).values(**_values(inventory, now))
            ).rowcount:
                raise NoInventoryToUpdate(name=name, uuid=uuid)
            return moved

        return self._database.transact(work)

    def remove(self, uuid: str, name: str | None = None) -> None:
        """Drop one class's inventory or, without ``name``, all.

        Raises ProviderNotFound, NoInventoryToDelete, InventoryInUse.
        """

        def work(connection: Connection) -> None:
            provider = find(connection, uuid)
            claim_generation(connection, provider, None, self._clock.now())
            present = connection.scalars(sa.select(INV.class_id).where(INV.provider_id == provider.id)).all()
            names = self._classes.names(connection, present)
            gone = {i: names[i] for i in present if name is None or names[i] == name}
            if name is not None and not gone:
                raise NoInventoryToDelete(name=name, uuid=uuid)
            drop(connection, provider, gone)

        self._database.transact(work)
