import pytest

from kilonova.lab.identity.store.rows import DuplicateRecord, RecordNotFound
from kilonova.lab.identity.store.store import IdentityStore


def test_rows_are_found_by_values_in_the_order_of_names(store: IdentityStore) -> None:
    assert [row["id"] for row in store.projects.find({"domain_id": "d"})] == ["p", "q"]
    assert store.projects.first(name="project-q", domain_id="other") is None
    assert [row["id"] for row in store.projects.some(["q", "nobody"])] == ["q"]


def test_names_are_unique_where_they_must_be(store: IdentityStore) -> None:
    twin = {"id": "z", "name": "project-p", "domain_id": "d", "parent_id": "d"}
    with pytest.raises(DuplicateRecord, match="project-p"):
        store.projects.add(twin)
    store.domains.add({"id": "e", "name": "Else"})
    assert store.projects.add({**twin, "domain_id": "e"})["id"] == "z"
    with pytest.raises(DuplicateRecord):
        store.projects.change("q", {"name": "project-p"})


def test_what_is_missing_is_named(store: IdentityStore) -> None:
    with pytest.raises(RecordNotFound, match="Could not find user: nobody"):
        store.users.get("nobody")
    with pytest.raises(RecordNotFound):
        store.users.change("nobody", {"enabled": False})
    with pytest.raises(RecordNotFound):
        store.users.remove("nobody")


def test_what_hangs_on_a_user_goes_with_it(store: IdentityStore) -> None:
    store.users.remove("u")
    assert store.grants.all() == []
