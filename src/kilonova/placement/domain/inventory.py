"""An inventory: how much of one resource class a provider has, and what may be claimed of it."""

from dataclasses import dataclass

from kilonova.placement.domain.errors import BadInventory

MAX_INT = 0x7FFFFFFF
MAX_CAPACITY = 1 << 62
"""Fits a signed 64-bit column with room for one more claim."""
MAX_RATIO = 3.40282e38


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Units are the class's own (MEMORY_MB, DISK_GB, VCPU …)."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = MAX_INT
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """What all claims together may use: ``(total - reserved) * allocation_ratio``, rounded down."""
        return max(0, int(min((self.total - self.reserved) * self.allocation_ratio, float(MAX_CAPACITY))))

    def check(self, name: str, *, may_reserve_all: bool) -> None:
        """Raises BadInventory. ``reserved`` may equal ``total`` from API 1.26 on."""
        if self.reserved > self.total or (self.reserved == self.total and not may_reserve_all):
            relation = "greater than" if may_reserve_all else "greater than or equal to"
            raise BadInventory(
                name=name, reason=f"reserved {self.reserved} is {relation} total {self.total}; it may not be"
            )


@dataclass(frozen=True, slots=True)
class Stock:
    """An inventory as claims see it."""

    capacity: int
    used: int
    min_unit: int = 1
    max_unit: int = MAX_INT
    step_size: int = 1

    @property
    def free(self) -> int:
        """What is left; negative when the inventory shrank below its use."""
        return self.capacity - self.used

    @property
    def claimable(self) -> int:
        """The most one consumer can claim now."""
        return min(self.capacity - self.used, self.max_unit)

    def unit_problem(self, amount: int) -> str | None:
        """Why one claim of ``amount`` breaks the units; None when it does not."""
        if amount < self.min_unit:
            return f"The requested amount {amount} is below min_unit {self.min_unit}."
        if amount > self.max_unit:
            return f"The requested amount {amount} is above max_unit {self.max_unit}."
        if amount % self.step_size:
            return f"The requested amount {amount} is not a multiple of step_size {self.step_size}."
        return None

    def offers(self, amount: int) -> bool:
        """May ``amount`` be claimed now?"""
        return (
            self.used + amount <= self.capacity
            and self.min_unit <= amount <= self.max_unit
            and amount % self.step_size == 0
        )
