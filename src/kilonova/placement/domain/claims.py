"""Claims: what consumers are to hold, and what that changes in inventories."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from kilonova.placement.domain.errors import ClaimRefused, ConcurrentUpdate
from kilonova.placement.domain.inventory import Stock

Slot = tuple[int, int]
"""An inventory: (provider id, class id)."""


class Unchecked(Enum):
    """The request did not say which consumer generation it saw (before API 1.28)."""

    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """All that one consumer is to hold from now on; nothing means the consumer goes."""

    consumer: str
    """Uuid."""
    allocations: Mapping[str, Mapping[str, int]]
    """Provider uuid → class → amount."""
    project_id: str | None = None
    """None, also below: as it is, or the placeholder for a new consumer."""
    user_id: str | None = None
    consumer_type: str | None = None
    generation: int | Unchecked | None = Unchecked.UNCHECKED
    """What the request saw; None: the consumer must be new."""

    def check_generation(self, present: int | None) -> None:
        """``present`` is None for a consumer that is not there. Raises ConcurrentUpdate."""
        if not isinstance(self.generation, Unchecked) and self.generation != present:
            raise ConcurrentUpdate(
                what="consumer",
                detail=f"expected {_shown(present)} but got {_shown(self.generation)} for consumer {self.consumer}",
            )


def _shown(generation: int | None) -> str:
    return "null" if generation is None else str(generation)


def changes(before: Mapping[Slot, int], after: Mapping[Slot, int]) -> dict[Slot, int]:
    """What to add to each inventory's use, in the order of the slots (the order of locking)."""
    found = {slot: after.get(slot, 0) - before.get(slot, 0) for slot in sorted(before.keys() | after.keys())}
    return {slot: delta for slot, delta in found.items() if delta}


@dataclass(frozen=True, slots=True)
class Place:
    """Names of a slot, and what is there: None when the provider has no inventory of the class."""

    provider: str
    name: str
    stock: Stock | None


def check_units(places: Mapping[Slot, Place], wanted: Iterable[tuple[Slot, int]]) -> None:
    """Each amount against its inventory's units. Raises ClaimRefused."""
    for slot, amount in wanted:
        place = places[slot]
        if place.stock is None:
            raise ClaimRefused(name=place.name, uuid=place.provider, reason="There is no inventory of this class.")
        problem = place.stock.unit_problem(amount)
        if problem is not None:
            raise ClaimRefused(name=place.name, uuid=place.provider, reason=problem)


def check_room(places: Mapping[Slot, Place], deltas: Mapping[Slot, int]) -> None:
    """Growth against what is free; giving back is always possible. Raises ClaimRefused."""
    for slot, delta in deltas.items():
        if delta <= 0:
            continue
        place = places[slot]
        if place.stock is None or place.stock.used + delta > place.stock.capacity:
            raise ClaimRefused(
                name=place.name, uuid=place.provider, reason="The requested amount would exceed the capacity."
            )
