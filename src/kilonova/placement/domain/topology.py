"""Providers as a search sees them: trees, and who shares with whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kilonova.placement.domain.demand import Condition
from kilonova.placement.domain.inventory import Stock


@dataclass(slots=True, kw_only=True, eq=False)
class Provider:
    """One provider. ``traits`` and ``aggregates`` need hold only those the search speaks of."""

    id: int
    parent_id: int | None = None
    root_id: int
    stocks: Mapping[str, Stock] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()

    def has_traits(self, condition: Condition) -> bool:
        """All required traits and none of the forbidden?"""
        return not (condition.forbidden & self.traits) and all(names & self.traits for names in condition.required)


@dataclass(slots=True, eq=False)
class Tree:
    """A root with all below it, and the sharing providers of other trees that reach it."""

    root: Provider
    providers: tuple[Provider, ...]
    """All of the tree, root included, by id."""
    shared: tuple[Provider, ...] = ()
    by_id: dict[int, Provider] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {p.id: p for p in self.providers}

    @property
    def alone(self) -> bool:
        """Is the root all there is, and nobody shares with it?"""
        return len(self.providers) == 1 and not self.shared

    def ancestry(self, provider: Provider) -> frozenset[int]:
        """Ids from the provider up to the root; empty for one of another tree."""
        found: set[int] = set()
        current: Provider | None = self.by_id.get(provider.id)
        while current is not None and current.id not in found:
            found.add(current.id)
            current = None if current.parent_id is None else self.by_id.get(current.parent_id)
        return frozenset(found)


def grow(providers: Iterable[Provider]) -> list[Tree]:
    """Trees of providers, by root id. A provider without its root in ``providers`` is left out."""
    members: dict[int, list[Provider]] = {}
    for provider in providers:
        members.setdefault(provider.root_id, []).append(provider)
    trees: list[Tree] = []
    for root_id in sorted(members):
        found = members[root_id]
        if len(found) > 1:
            found.sort(key=lambda p: p.id)
        root = next((p for p in found if p.id == root_id), None)
        if root is not None:
            trees.append(Tree(root, tuple(found)))
    return trees
