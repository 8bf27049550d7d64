import pytest
from tests.unit.databases import fresh

from kilonova.lab.identity import passwords
from kilonova.lab.identity.seed import USERS, MissingPassword, seed
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.store.store import IdentityStore
from kilonova.lab.identity.tokens import catalog_of

SECRETS = {name: f"secret-{name}" for name in USERS}
URLS = {"identity": "http://h:5000/v3", "compute": "http://h:8774/v2.1"}


def empty() -> IdentityStore:
    return IdentityStore(fresh(IdentityStore))


def roles_of(store: IdentityStore, user: str, project: str | None) -> set[str]:
    found = store.projects.first(name=project) if project else None
    target = Target(project_id=found["id"]) if found else Target()
    row = store.users.first(name=user)
    assert row is not None
    return {role["name"] for role in store.roles.some(store.grants.effective(row["id"], target))}


def test_a_lab_has_its_first_users_with_their_roles() -> None:
    store = empty()
    seed(store, SECRETS, URLS)
    assert roles_of(store, "admin", "admin") == {"admin", "manager", "member", "reader"}
    assert "admin" in roles_of(store, "admin", None)
    assert roles_of(store, "demo", "demo") == {"member", "reader"}
    assert roles_of(store, "glance", "service") == {"service"}
    assert {"service", "admin"} <= roles_of(store, "nova", "service")
    admin = store.users.first(name="admin")
    assert admin is not None
    assert passwords.verify("secret-admin", admin["password"])


def test_seeding_again_keeps_passwords_and_moves_endpoints() -> None:
    store = empty()
    seed(store, SECRETS, URLS)
    before = store.users.find({})
    seed(store, {}, {**URLS, "compute": "http://other:8774/v2.1"})
    assert store.users.find({}) == before
    compute = next(entry for entry in catalog_of(store, None, None) if entry["type"] == "compute")
    assert [e["url"] for e in compute["endpoints"]] == ["http://other:8774/v2.1"] * 3
    assert {e["interface"] for e in compute["endpoints"]} == {"public", "internal", "admin"}


def test_a_missing_password_writes_nothing() -> None:
    store = empty()
    with pytest.raises(MissingPassword, match="placement"):
        seed(store, {k: v for k, v in SECRETS.items() if k != "placement"}, URLS)
    assert store.domains.find({}) == []
