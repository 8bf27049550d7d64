from datetime import timedelta

import pytest

from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Unauthorized
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.store.grants import Actor, Target
from kilonova.lab.identity.tokens import Login, catalog_of, token_document


def login(identity: Identity, target: Target | None = None) -> Login:
    return Login(user=identity.store.users.get("u"), methods=("password",), target=target)


def test_a_token_for_a_project_names_user_project_and_implied_roles(identity: Identity) -> None:
    token, _ = identity.tokens.issue(login(identity, Target("p")))
    found = identity.tokens.look_up(token)
    assert found is not None
    document = token_document(found, [])
    assert document["user"] == {
        "id": "u",
        "name": "carl",
        "domain": {"id": "d", "name": "Dom"},
        "password_expires_at": None,
    }
    assert document["project"] == {"id": "p", "name": "project-p", "domain": {"id": "d", "name": "Dom"}}
    assert [role["name"] for role in document["roles"]] == ["member", "reader"]
    assert document["catalog"] == []
    assert document["issued_at"] == "2026-01-01T00:00:00.000000Z"
    assert document["expires_at"] == "2026-01-01T01:00:00.000000Z"


def test_an_unscoped_token_has_neither_roles_nor_catalog(identity: Identity) -> None:
    _, found = identity.tokens.issue(login(identity))
    assert {"roles", "catalog", "project", "domain", "system"}.isdisjoint(token_document(found, []))


def test_the_token_itself_is_not_kept(identity: Identity) -> None:
    token, described = identity.tokens.issue(login(identity))
    assert described.digest != token
    assert identity.store.tokens.get(token) is None


@pytest.mark.parametrize("target", [Target("q"), Target(domain_id="d"), Target()])
def test_no_role_no_token(identity: Identity, target: Target) -> None:
    with pytest.raises(Unauthorized):
        identity.tokens.issue(login(identity, target))


def test_tokens_expire_but_validate_late_for_services_that_ask(identity: Identity, clock: ManualClock) -> None:
    token, _ = identity.tokens.issue(login(identity, Target("p")))
    clock.advance(3600)
    assert identity.tokens.look_up(token) is None
    assert identity.tokens.look_up(token, allow_expired=True) is not None
    clock.advance(timedelta(days=2).total_seconds())
    assert identity.tokens.look_up(token, allow_expired=True) is None


def test_long_expired_tokens_are_forgotten_when_new_ones_are_issued(identity: Identity, clock: ManualClock) -> None:
    _, old = identity.tokens.issue(login(identity))
    clock.advance(timedelta(days=3).total_seconds())
    identity.tokens.issue(login(identity))
    assert identity.store.tokens.get(old.digest) is None


def test_revoked_tokens_are_unknown(identity: Identity) -> None:
    token, _ = identity.tokens.issue(login(identity, Target("p")))
    identity.tokens.revoke(token)
    assert identity.tokens.look_up(token) is None


@pytest.mark.parametrize("room", ["users", "projects", "domains"])
def test_what_is_disabled_ends_the_token(identity: Identity, room: str) -> None:
    token, _ = identity.tokens.issue(login(identity, Target("p")))
    key = {"users": "u", "projects": "p", "domains": "d"}[room]
    getattr(identity.store, room).change(key, {"enabled": False})
    assert identity.tokens.look_up(token) is None


def test_a_taken_role_ends_the_token(identity: Identity) -> None:
    token, _ = identity.tokens.issue(login(identity, Target("p")))
    identity.store.grants.take(Actor("u"), Target("p"), "r-member")
    assert identity.tokens.look_up(token) is None


def test_a_token_from_a_token_lives_no_longer(identity: Identity, clock: ManualClock) -> None:
    _, first = identity.tokens.issue(login(identity))
    clock.advance(1800)
    again = Login(
        user=first.user,
        methods=("password", "token"),
        expires_at=first.expires_at,
        audit_ids=tuple(first.audit_ids),
    )
    _, second = identity.tokens.issue(again)
    assert second.expires_at == first.expires_at
    assert second.audit_ids[1:] == first.audit_ids


def test_the_catalog_fills_in_ids_and_drops_what_cannot_be_filled(identity: Identity) -> None:
    store = identity.store
    store.services.add({"id": "s", "type": "object-store", "name": "swift"})
    for key, url in {"a": "http://h/%(project_id)s/$(user_id)s", "b": "http://h/plain"}.items():
        store.endpoints.add({"id": key, "service_id": "s", "region_id": "R", "interface": "public", "url": url})

    def urls(project: str | None) -> set[str]:
        (entry,) = catalog_of(store, project, "u")
        return {endpoint["url"] for endpoint in entry["endpoints"]}

    assert urls("p") == {"http://h/p/u", "http://h/plain"}
    assert urls(None) == {"http://h/plain"}


def test_the_catalog_leaves_out_what_is_disabled(identity: Identity) -> None:
    store = identity.store
    store.services.add({"id": "s", "type": "x", "name": "x"})
    store.endpoints.add({"id": "a", "service_id": "s", "interface": "public", "url": "http://h", "enabled": False})
    assert catalog_of(store, None, None)[0]["endpoints"] == []
    store.services.change("s", {"enabled": False})
    assert catalog_of(store, None, None) == []
