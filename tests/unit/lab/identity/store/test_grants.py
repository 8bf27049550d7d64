import pytest

from kilonova.lab.identity.store.grants import Actor, AssignmentNotFound, Target
from kilonova.lab.identity.store.store import IdentityStore

CARL = Actor("u")
ON_P = Target("p")


def test_giving_twice_is_giving_once(store: IdentityStore) -> None:
    store.grants.give(CARL, ON_P, "r-member")
    assert len(store.grants.all()) == 1
    store.grants.take(CARL, ON_P, "r-member")
    with pytest.raises(AssignmentNotFound, match="r-member"):
        store.grants.take(CARL, ON_P, "r-member")


def test_direct_roles_are_of_exactly_this_actor_and_target(store: IdentityStore) -> None:
    assert store.grants.direct(CARL, ON_P) == {"r-member"}
    assert store.grants.direct(CARL, Target()) == set()
    assert store.grants.direct(CARL, Target("q")) == set()
    store.groups.add({"id": "g", "name": "g", "domain_id": "d"})
    store.grants.give(Actor(group_id="g"), ON_P, "r-admin")
    assert store.grants.direct(CARL, ON_P) == {"r-member"}
    assert store.grants.direct(Actor(group_id="g"), ON_P) == {"r-admin"}


def test_effective_roles_come_from_groups_and_implications(store: IdentityStore) -> None:
    store.groups.add({"id": "g", "name": "g", "domain_id": "d"})
    store.grants.give(Actor(group_id="g"), Target(domain_id="d"), "r-admin")
    assert store.grants.effective("u", Target(domain_id="d")) == set()
    store.grants.join("g", "u")
    store.grants.join("g", "u")
    assert store.grants.effective("u", Target(domain_id="d")) == {"r-admin", "r-member", "r-reader"}
    assert set(store.grants.targets("u")) == {ON_P, Target(domain_id="d")}
    assert store.grants.leave("g", "u")
    assert not store.grants.leave("g", "u")
    assert store.grants.effective("u", Target(domain_id="d")) == set()


def test_a_circle_of_implications_ends(store: IdentityStore) -> None:
    store.grants.imply("r-reader", "r-admin")
    assert store.grants.with_implied(["r-reader"]) == {"r-admin", "r-member", "r-reader"}
    assert store.grants.unimply("r-reader", "r-admin")
    assert not store.grants.unimply("r-reader", "r-admin")
