"""What a search asks for: conditions on one provider, groups of resources, and how the groups belong together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

AnyOf = tuple[frozenset[str], ...]
"""Every set must be met by at least one of its members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a provider must be."""

    required: AnyOf = ()
    """Traits."""
    forbidden: frozenset[str] = frozenset()
    """Traits."""
    member_of: AnyOf = ()
    """Aggregate uuids."""
    not_member_of: frozenset[str] = frozenset()
    in_tree: str | None = None
    """Uuid of any provider of the tree it must be in."""

    @property
    def traits(self) -> frozenset[str]:
        """Every trait spoken of."""
        return self.forbidden.union(*self.required)

    @property
    def aggregates(self) -> frozenset[str]:
        """Every aggregate spoken of."""
        return self.not_member_of.union(*self.member_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``resources{suffix}`` with its conditions.

    A group with a suffix is served by one provider. The one without is served by all providers of a tree together:
    each class by any of them; the required traits must be found among those that serve.
    """

    suffix: str = ""
    resources: Mapping[str, int] = field(default_factory=dict)
    """Class to amount; empty only for a group that ``same_subtree`` names."""
    condition: Condition = Condition()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One search for allocation candidates."""

    groups: tuple[Group, ...]
    isolate: bool = False
    """Each suffixed group with resources on a provider of its own."""
    same_subtree: tuple[frozenset[str], ...] = ()
    """Suffixes whose providers must be one of them and its descendants."""
    root: Condition = Condition()
    """``root_required``: what the root of the tree must be."""
    nested: bool = True
    """Below API 1.29 a candidate takes one provider of a tree only."""
    mapped: bool = True
    """From API 1.34 candidates differ by which group is where, too."""
    limit: int | None = None

    @property
    def classes(self) -> frozenset[str]:
        """Every resource class asked for."""
        return frozenset(name for group in self.groups for name in group.resources)

    @property
    def traits(self) -> frozenset[str]:
        """Every trait spoken of."""
        return self.root.traits.union(*(g.condition.traits for g in self.groups))

    @property
    def aggregates(self) -> frozenset[str]:
        """Every aggregate spoken of."""
        return frozenset().union(*(g.condition.aggregates for g in self.groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFilter:
    """What ``GET /resource_providers`` filters by."""

    name: str | None = None
    uuid: str | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    condition: Condition = Condition()
