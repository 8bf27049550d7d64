"""The query of ``GET /allocation_candidates`` (placement 1.36) while it is put together."""

from dataclasses import dataclass, field

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.request import ResourceGroup


@dataclass(slots=True)
class QueryGroup:
    """One request group; the one without suffix may be answered by several providers."""

    resources: dict[str, int] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    aggregates: list[tuple[str, ...]] = field(default_factory=list)
    in_tree: str | None = None

    def forbid(self, trait: str) -> None:
        """Forbid a trait. Raises BadExtraSpec when it is required too."""
        self.forbidden.add(trait)
        self.check()

    def require(self, trait: str) -> None:
        """Require a trait. Raises BadExtraSpec when it is forbidden too."""
        self.required.add(trait)
        self.check()

    def check(self) -> None:
        both = self.required & self.forbidden
        if both:
            trait = min(both)
            raise BadExtraSpec(value="required", key=f"trait:{trait}", reason="flavor or image forbids it too")

    def pairs(self, suffix: str) -> list[tuple[str, str]]:
        """Parameters of the group in a fixed order."""
        found: list[tuple[str, str]] = []
        amounts = [f"{name}:{amount}" for name, amount in sorted(self.resources.items()) if amount]
        if amounts:
            found.append((f"resources{suffix}", ",".join(amounts)))
        if self.required or self.forbidden:
            found.append((f"required{suffix}", _traits(self.required, self.forbidden)))
        found += [(f"member_of{suffix}", f"in:{','.join(choice)}") for choice in self.aggregates]
        if self.in_tree is not None:
            found.append((f"in_tree{suffix}", self.in_tree))
        return found


@dataclass(slots=True)
class CandidateQuery:
    """All groups, and what holds for the compute node itself (the root of the providers' tree)."""

    groups: dict[str, QueryGroup] = field(default_factory=lambda: {"": QueryGroup()})
    root: QueryGroup = field(default_factory=QueryGroup)
    forbidden_aggregates: set[str] = field(default_factory=set)
    same_subtree: list[tuple[str, ...]] = field(default_factory=list)
    group_policy: str | None = None
    limit: int | None = None

    @property
    def main(self) -> QueryGroup:
        """The group without suffix."""
        return self.groups[""]

    def group(self, suffix: str) -> QueryGroup:
        """The group of a suffix, made when new."""
        return self.groups.setdefault(suffix, QueryGroup())

    def add(self, asked: ResourceGroup) -> None:
        """A whole group, of a port or a device."""
        group = self.group(asked.suffix)
        group.resources.update(asked.resources)
        group.required.update(asked.required)
        group.forbidden.update(asked.forbidden)
        group.aggregates += asked.aggregates
        group.in_tree = asked.in_tree or group.in_tree
        group.check()

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters, always in the same order for the same query."""
        found = self.main.pairs("")
        if self.forbidden_aggregates:
            found.append(("member_of", f"!in:{','.join(sorted(self.forbidden_aggregates))}"))
        suffixes = sorted(suffix for suffix in self.groups if suffix)
        for suffix in suffixes:
            found += self.groups[suffix].pairs(suffix)
        if self.root.required or self.root.forbidden:
            found.append(("root_required", _traits(self.root.required, self.root.forbidden)))
        found += [("same_subtree", ",".join(names)) for names in self.same_subtree]
        if self.group_policy is not None or len(suffixes) > 1:
            found.append(("group_policy", self.group_policy or "none"))  # placement wants one with several groups
        if self.limit is not None:
            found.append(("limit", str(self.limit)))
        return found


def _traits(required: set[str], forbidden: set[str]) -> str:
    return ",".join([*sorted(required), *(f"!{trait}" for trait in sorted(forbidden))])
