import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.placement.domain.claims import Claim, Place, Unchecked, changes, check_room, check_units
from kilonova.placement.domain.errors import ClaimRefused, ConcurrentUpdate
from kilonova.placement.domain.inventory import Stock

slots = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(1, 9))


@given(slots, slots)
def test_changes_lead_from_before_to_after(
    before: dict[tuple[int, int], int], after: dict[tuple[int, int], int]
) -> None:
    deltas = changes(before, after)
    assert list(deltas) == sorted(deltas)
    assert 0 not in deltas.values()
    reached = {slot: before.get(slot, 0) + deltas.get(slot, 0) for slot in before.keys() | deltas.keys()}
    assert {slot: n for slot, n in reached.items() if n} == after


@pytest.mark.parametrize(
    ("named", "present", "fine"),
    [
        (Unchecked.UNCHECKED, None, True),
        (Unchecked.UNCHECKED, 3, True),
        (None, None, True),
        (None, 1, False),
        (1, 1, True),
        (1, 2, False),
        (1, None, False),
    ],
)
def test_generation(named: int | Unchecked | None, present: int | None, fine: bool) -> None:
    claim = Claim(consumer="c", allocations={}, generation=named)
    if fine:
        claim.check_generation(present)
        return
    with pytest.raises(ConcurrentUpdate, match="consumer c"):
        claim.check_generation(present)


PLACES = {
    (1, 1): Place("p1", "VCPU", Stock(capacity=8, used=6, max_unit=4)),
    (1, 2): Place("p1", "DISK_GB", None),
    (2, 1): Place("p2", "VCPU", Stock(capacity=4, used=9)),
}


@pytest.mark.parametrize(("slot", "amount", "words"), [((1, 1), 5, "max_unit"), ((1, 2), 1, "no inventory")])
def test_units(slot: tuple[int, int], amount: int, words: str) -> None:
    with pytest.raises(ClaimRefused, match=words):
        check_units(PLACES, [(slot, amount)])
    check_units(PLACES, [((1, 1), 4)])


def test_room() -> None:
    check_room(PLACES, {(1, 1): 2})
    with pytest.raises(ClaimRefused, match="capacity"):
        check_room(PLACES, {(1, 1): 3})


def test_giving_back_is_always_possible() -> None:
    check_room(PLACES, {(2, 1): -1})
    with pytest.raises(ClaimRefused, match="'VCPU' on resource provider 'p2'"):
        check_room(PLACES, {(2, 1): 1})
