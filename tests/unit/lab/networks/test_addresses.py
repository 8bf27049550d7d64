from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.lab.networks import addresses, errors

NET = IPv4Network("10.0.0.0/29")


def test_default_pools_go_around_the_gateway() -> None:
    assert addresses.default_pools(NET, "10.0.0.1") == [{"start": "10.0.0.2", "end": "10.0.0.6"}]
    assert addresses.default_pools(NET, "10.0.0.3") == [
        {"start": "10.0.0.1", "end": "10.0.0.2"},
        {"start": "10.0.0.4", "end": "10.0.0.6"},
    ]
    assert addresses.default_pools(NET, None) == [{"start": "10.0.0.1", "end": "10.0.0.6"}]


@pytest.mark.parametrize(
    "bad", ["10.0.0.0/31", "10.0.0.0/7", "fd00::/64", "10.0.0.300/24", "", "224.0.0.0/24", "x" * 99]
)
def test_cidrs_that_cannot_be_subnets_are_named(bad: str) -> None:
    with pytest.raises(errors.InvalidInput, match="cidr"):
        addresses.parse_subnet(bad)


def test_pools_are_checked_and_sorted() -> None:
    given_pools = [{"start": "10.0.0.5", "end": "10.0.0.6"}, {"start": "10.0.0.2", "end": "10.0.0.3"}]
    assert addresses.check_pools(NET, given_pools, "10.0.0.1") == given_pools[::-1]


@pytest.mark.parametrize(
    ("pools", "error"),
    [
        ([("10.0.0.2", "10.0.0.4"), ("10.0.0.4", "10.0.0.5")], errors.OverlappingAllocationPools),
        ([("10.0.0.2", "10.0.0.7")], errors.OutOfBoundsAllocationPool),
        ([("10.0.0.4", "10.0.0.2")], errors.InvalidInput),
        ([("10.0.0.1", "10.0.0.2")], errors.GatewayConflictWithAllocationPools),
        ([("10.0.0.one", "10.0.0.2")], errors.InvalidInput),
    ],
)
def test_bad_pools_are_refused(pools: list[tuple[str, str]], error: type[Exception]) -> None:
    with pytest.raises(error):
        addresses.check_pools(NET, [{"start": a, "end": b} for a, b in pools], "10.0.0.1")


def test_an_address_just_given_back_rests() -> None:
    pools = [{"start": "10.0.0.2", "end": "10.0.0.4"}]
    assert addresses.pick(pools, set(), None) == "10.0.0.2"
    assert addresses.pick(pools, set(), "10.0.0.2") == "10.0.0.3"
    assert addresses.pick(pools, {"10.0.0.3"}, "10.0.0.4") == "10.0.0.2"
    assert addresses.pick(pools, {"10.0.0.2", "10.0.0.3", "10.0.0.4"}, "10.0.0.3") is None


@given(st.sets(st.integers(2, 6)), st.one_of(st.none(), st.integers(1, 6)))
def test_pick_finds_a_free_address_exactly_when_there_is_one(taken: set[int], after: int | None) -> None:
    pools = addresses.default_pools(NET, "10.0.0.1")
    busy = {f"10.0.0.{n}" for n in taken}
    found = addresses.pick(pools, busy, None if after is None else f"10.0.0.{after}")
    assert (found is None) == (taken == {2, 3, 4, 5, 6})
    assert found not in busy
