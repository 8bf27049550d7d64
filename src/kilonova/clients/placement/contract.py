"""What compute asks of Placement. Anything that speaks the Placement API at 1.39 can stand behind it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from kilonova.clients.placement.facts import Allocation, Candidates, Inventory, Provider
from kilonova.kit.errors import Conflict


class NoRoom(Conflict):
    """The claim does not fit any more: another one was quicker, or the inventory shrank."""

    template = "Placement cannot allocate for {consumer}: {reason}"


class Raced(Conflict):
    """Others changed the same consumers or providers in the same moment: read again and try again."""

    template = "Placement: {consumer} is being changed by others at this moment"


class AlreadyClaimed(Conflict):
    """The consumer has other allocations than the wanted ones."""

    template = "Consumer {consumer} already has other allocations"


class ProviderNameTaken(Conflict):
    """Another provider has the name; usually a host that was made again with a new UUID."""

    template = "Resource provider name {name} is taken by provider {other}, not {uuid}; delete that one first"


class Claims(Protocol):
    """The scheduler's and conductor's side. Everything may be repeated. All raise Unavailable kinds."""

    def candidates(self, query: Sequence[tuple[str, str]]) -> Candidates:
        """``query``: the pairs of GET /allocation_candidates. Raises Invalid."""

    def why_none(self, query: Sequence[tuple[str, str]]) -> str | None:
        """Why ``candidates`` found none, in a sentence or two; None where the service cannot tell. Raises nothing."""

    def claim(self, wanted: Allocation) -> None:
        """Allocate for a new consumer; fine when it has just these already. Raises NoRoom, AlreadyClaimed."""

    def replace(self, wanted: Sequence[Allocation]) -> None:
        """Set the allocations of several consumers at once, each at its generation; empty ones are removed.

        Raises NoRoom; Raced when a generation is out of date.
        """

    def allocation(self, consumer: str) -> Allocation | None:
        """What the consumer has; None for nothing."""

    def release(self, consumer: str) -> bool:
        """Drop the consumer's allocations; False when there were none."""


class Inventories(Protocol):
    """The compute host's side: its providers and what they offer. Everything may be repeated."""

    def ensure_provider(self, uuid: str, name: str, parent: str | None = None) -> Provider:
        """Make the provider, or its name, right. Raises ProviderNameTaken."""

    def set_inventory(self, uuid: str, inventory: Mapping[str, Inventory]) -> None:
        """Replace the inventory if it differs. Raises NotFound; Conflict when a class in use would go."""

    def set_traits(self, uuid: str, traits: Collection[str]) -> None:
        """Replace the traits if they differ; custom ones are made first."""

    def set_aggregates(self, uuid: str, aggregates: Collection[str]) -> None:
        """Replace the aggregates if they differ."""

    def traits(self, uuid: str) -> frozenset[str]: ...

    def aggregates(self, uuid: str) -> frozenset[str]: ...

    def inventory(self, uuid: str) -> Mapping[str, Inventory]: ...

    def delete_provider(self, uuid: str) -> bool:
        """False when there was none. Raises Conflict while it has allocations or children."""

    def providers(self, query: Sequence[tuple[str, str]] = ()) -> tuple[Provider, ...]:
        """``query``: the pairs of GET /resource_providers (name, uuid, in_tree, member_of, required …)."""

    def consumers(self, uuid: str) -> Mapping[str, Mapping[str, int]]:
        """Consumer → resources that it has on this provider."""


class Placement(Claims, Inventories, Protocol):
    """All of it."""
