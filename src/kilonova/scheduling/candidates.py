"""Allocation candidates as placement gives them, by compute node; what a request's servers take is counted."""

from collections.abc import KeysView, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AllocationCandidate:
    """One way to take the resources: ``{provider: {"resources": {class: amount}}}`` and which group went where."""

    allocations: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, list[str]] = field(default_factory=dict)


class CandidateSet:
    """The reply of ``GET /allocation_candidates`` (1.29 or later: summaries name the root provider)."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        summaries = reply["provider_summaries"]
        self._by_root: dict[str, list[Mapping[str, Any]]] = {}
        for asked in reply["allocation_requests"]:
            roots = {summaries[provider]["root_provider_uuid"] for provider in asked["allocations"]}
            for root in roots:
                self._by_root.setdefault(root, []).append(asked)
        self._summaries = summaries
        self._taken: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._by_root)

    @property
    def roots(self) -> KeysView[str]:
        """Root providers that have a candidate."""
        return self._by_root.keys()

    def first(self, provider: str) -> AllocationCandidate | None:
        """The first candidate of a compute node that still fits beside what was taken; None when none does."""
        for asked in self._by_root.get(provider, ()):
            if self._fits(asked["allocations"]):
                return AllocationCandidate(asked["allocations"], asked.get("mappings") or {})
        return None

    def take(self, candidate: AllocationCandidate) -> None:
        """Count a candidate's resources as used from now on."""
        for provider, allocation in candidate.allocations.items():
            for resource, amount in allocation["resources"].items():
                key = (provider, resource)
                self._taken[key] = self._taken.get(key, 0) + amount

    def _fits(self, allocations: Mapping[str, Mapping[str, Any]]) -> bool:
        """Placement vouched for a candidate taken alone; only what this request took since can be in its way."""
        if not self._taken:
            return True
        for provider, allocation in allocations.items():
            for resource, amount in allocation["resources"].items():
                taken = self._taken.get((provider, resource), 0)
                stock = self._summaries[provider]["resources"][resource]
                if taken and stock["used"] + taken + amount > stock["capacity"]:
                    return False
        return True
