"""What compute and Placement tell each other, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Resources = Mapping[str, int]
"""Resource class → amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to satisfy a request."""

    allocations: Mapping[str, Resources]
    """Provider → resources."""
    mappings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Request group suffix (empty: the group without one) → providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One resource class of one provider."""

    capacity: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSummary:
    """A provider that appears in candidates, and the others of its tree."""

    uuid: str
    root: str
    parent: str | None = None
    resources: Mapping[str, Usage] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The answer to an allocation candidates query."""

    requests: tuple[Candidate, ...] = ()
    summaries: Mapping[str, ProviderSummary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one consumer has, or is to have."""

    consumer: str
    allocations: Mapping[str, Resources]
    project_id: str
    user_id: str
    consumer_type: str = "INSTANCE"
    mappings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    generation: int | None = None
    """None: the consumer is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Capacity of one resource class on one provider."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2147483647
    step_size: int = 1
    allocation_ratio: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A resource provider; ``generation`` changes with everything about it."""

    uuid: str
    name: str
    generation: int
    parent: str | None = None
    root: str | None = None
