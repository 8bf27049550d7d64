import pytest

from kilonova.placement.domain.errors import BadInventory
from kilonova.placement.domain.inventory import MAX_CAPACITY, MAX_RATIO, Inventory, Stock


@pytest.mark.parametrize(
    ("total", "reserved", "ratio", "capacity"),
    [(8, 0, 1.0, 8), (8, 2, 1.5, 9), (5, 0, 1.5, 7), (8, 8, 16.0, 0), (1, 0, MAX_RATIO, MAX_CAPACITY), (9, 0, 0.0, 0)],
)
def test_capacity(total: int, reserved: int, ratio: float, capacity: int) -> None:
    assert Inventory(total=total, reserved=reserved, allocation_ratio=ratio).capacity == capacity


@pytest.mark.parametrize(
    ("reserved", "may_reserve_all", "fine"), [(7, False, True), (8, False, False), (8, True, True), (9, True, False)]
)
def test_reserved(reserved: int, may_reserve_all: bool, fine: bool) -> None:
    inventory = Inventory(total=8, reserved=reserved)
    if fine:
        inventory.check("VCPU", may_reserve_all=may_reserve_all)
        return
    with pytest.raises(BadInventory, match="VCPU"):
        inventory.check("VCPU", may_reserve_all=may_reserve_all)


@pytest.mark.parametrize(
    ("amount", "word"), [(1, "min_unit"), (10, "max_unit"), (5, "step_size"), (4, None), (8, None)]
)
def test_units(amount: int, word: str | None) -> None:
    stock = Stock(capacity=100, used=0, min_unit=2, max_unit=8, step_size=2)
    problem = stock.unit_problem(amount)
    assert (problem is None) == (word is None)
    assert word is None or word in str(problem)
    assert stock.offers(amount) == (word is None)


def test_what_is_left() -> None:
    stock = Stock(capacity=10, used=7, max_unit=5)
    assert (stock.free, stock.claimable) == (3, 3)
    assert stock.offers(3)
    assert not stock.offers(4)
    assert Stock(capacity=2, used=5).free == -3
    assert Stock(capacity=100, used=0, max_unit=5).claimable == 5
