from datetime import timedelta
from typing import Any

import pytest

from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Invalid, Unauthorized
from kilonova.lab.identity import passwords
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.store.grants import Actor, Target
from kilonova.lab.identity.tokens import Login

CARL: dict[str, Any] = {"name": "carl", "domain": {"name": "Dom"}, "password": "pw"}
ON_P: dict[str, Any] = {"project": {"name": "project-p", "domain": {"id": "d"}}}


def auth(user: dict[str, Any], scope: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return body if scope is None else {**body, "scope": scope}


@pytest.mark.parametrize("user", [CARL, {"id": "u", "password": "pw"}])
def test_users_are_found_by_id_and_by_name_in_a_domain(identity: Identity, user: dict[str, Any]) -> None:
    assert identity.desk.log_in(auth(user, ON_P)).target == Target("p")


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        ({"project": {"id": "q"}}, Target("q")),
        ({"domain": {"name": "Dom"}}, Target(domain_id="d")),
        ({"system": {"all": True}}, Target()),
        ("unscoped", None),
        ({"unscoped": {}}, None),
    ],
)
def test_scopes(identity: Identity, scope: Any, target: Target | None) -> None:
    assert identity.desk.log_in(auth(CARL, scope)).target == target


@pytest.mark.parametrize(
    "user",
    [
        {**CARL, "password": "no"},
        {**CARL, "name": "nobody"},
        {**CARL, "domain": {"id": "nowhere"}},
        {"id": "nobody", "password": "pw"},
    ],
)
def test_wrong_users_and_passwords_are_the_same_refusal(identity: Identity, user: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized, match=r"^The request you have made requires authentication\.$"):
        identity.desk.log_in(auth(user))


@pytest.mark.parametrize("scope", [{"project": {"id": "x"}}, {"project": {"name": "x", "domain": {"id": "d"}}}])
def test_unknown_targets_are_refused(identity: Identity, scope: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        identity.desk.log_in(auth(CARL, scope))


@pytest.mark.parametrize(
    "bad",
    [
        auth({"name": "carl", "password": "pw"}),
        auth({"id": "u"}),
        auth(CARL, {"galaxy": {}}),
        {"identity": {"methods": ["password"]}},
        auth(CARL, {"project": {"name": "project-p"}}),
    ],
)
def test_bodies_that_lack_something_are_invalid(identity: Identity, bad: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        identity.desk.log_in(bad)


def test_methods_that_are_not_offered_are_refused(identity: Identity) -> None:
    with pytest.raises(Unauthorized, match="unsupported method"):
        identity.desk.log_in({"identity": {"methods": ["totp"], "totp": {}}})


def test_the_default_project_is_taken_when_no_scope_is_given(identity: Identity) -> None:
    identity.store.users.change("u", {"default_project_id": "p"})
    assert identity.desk.log_in(auth(CARL)).target == Target("p")


def test_a_default_project_without_a_role_is_not_taken(identity: Identity) -> None:
    identity.store.users.change("u", {"default_project_id": "q"})
    assert identity.desk.log_in(auth(CARL)).target is None


def test_rescoping_keeps_the_expiry(identity: Identity) -> None:
    token, first = identity.tokens.issue(identity.desk.log_in(auth(CARL)))
    body = {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": ON_P}
    again = identity.desk.log_in(body)
    assert again.target == Target("p")
    assert again.expires_at == first.expires_at
    assert again.methods == ("password", "token")


def test_two_methods_must_mean_one_user(identity: Identity) -> None:
    identity.store.users.add(
        {"id": "v", "name": "vera", "domain_id": "d", "password": passwords.hash_password("other", log_n=1)}
    )
    token, _ = identity.tokens.issue(identity.desk.log_in(auth({"id": "v", "password": "other"})))
    both = {"methods": ["password", "token"], "password": {"user": CARL}, "token": {"id": token}}
    with pytest.raises(Unauthorized):
        identity.desk.log_in({"identity": both})


def by_credential(identity: Identity, **section: Any) -> Login:
    body: dict[str, Any] = {"methods": ["application_credential"], "application_credential": section}
    return identity.desk.log_in({"identity": body})


@pytest.fixture
def credential(identity: Identity, clock: ManualClock) -> str:
    identity.store.application_credentials.add(
        {
            "id": "ac",
            "user_id": "u",
            "project_id": "p",
            "name": "robot",
            "secret": passwords.hash_password("key", log_n=1),
            "expires_at": clock.now() + timedelta(minutes=10),
            "role_ids": ["r-reader"],
        }
    )
    return "ac"


def test_application_credentials_log_in_by_id_or_by_user_and_name(identity: Identity, credential: str) -> None:
    by_name = by_credential(identity, name="robot", user={"id": "u"}, secret="key")
    assert by_name.target == Target("p")
    _, token = identity.tokens.issue(by_credential(identity, id=credential, secret="key"))
    assert [role["name"] for role in token.roles] == ["reader"]


def test_application_credentials_need_their_secret_and_end(
    identity: Identity, credential: str, clock: ManualClock
) -> None:
    with pytest.raises(Unauthorized):
        by_credential(identity, id=credential, secret="pw")
    token, described = identity.tokens.issue(by_credential(identity, id=credential, secret="key"))
    assert described.expires_at == clock.now() + timedelta(minutes=10)
    clock.advance(600)
    assert identity.tokens.look_up(token) is None
    with pytest.raises(Unauthorized):
        by_credential(identity, id=credential, secret="key")


def test_a_credential_gives_no_more_than_its_user_still_has(identity: Identity, credential: str) -> None:
    token, _ = identity.tokens.issue(by_credential(identity, id=credential, secret="key"))
    identity.store.grants.take(Actor("u"), Target("p"), "r-member")
    assert identity.tokens.look_up(token) is None


def test_a_credentials_token_cannot_become_another(identity: Identity, credential: str) -> None:
    token, _ = identity.tokens.issue(by_credential(identity, id=credential, secret="key"))
    with pytest.raises(Unauthorized):
        identity.desk.log_in({"identity": {"methods": ["token"], "token": {"id": token}}})


def test_a_credential_cannot_be_scoped_elsewhere(identity: Identity, credential: str) -> None:
    body: dict[str, Any] = {"methods": ["application_credential"]}
    body["application_credential"] = {"id": credential, "secret": "key"}
    with pytest.raises(Unauthorized):
        identity.desk.log_in({"identity": body, "scope": {"project": {"id": "q"}}})
