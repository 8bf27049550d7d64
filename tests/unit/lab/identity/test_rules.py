import pytest

from kilonova.kit.context import Context
from kilonova.kit.errors import Unauthorized
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.rules import (
    ADMIN,
    ADMIN_OR_SELF,
    ANYONE,
    READ,
    READ_OR_SELF,
    LocalAuth,
    NotAuthorized,
    Rules,
)
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.tokens import Login

ADMINISTRATOR = Context(user_id="a", roles=("admin",))
MEMBER = Context(user_id="m", roles=("member", "reader"))
SERVICE = Context(user_id="s", roles=("service",))
AUDITOR = Context(user_id="r", roles=("reader",), system_scope="all")


@pytest.mark.parametrize(
    ("rule", "passing"),
    [
        (ADMIN, {"a"}),
        (READ, {"a", "s", "r"}),
        (ANYONE, {"a", "m", "s", "r"}),
        (READ_OR_SELF, {"a", "m", "s", "r"}),
        (ADMIN_OR_SELF, {"a", "m"}),
    ],
)
def test_who_passes_which_rule_about_the_member(rule: str, passing: set[str]) -> None:
    callers = (ADMINISTRATOR, MEMBER, SERVICE, AUDITOR)
    assert {c.user_id for c in callers if Rules().allows(rule, c, {"user_id": "m"})} == passing


def test_a_demand_names_the_rule() -> None:
    with pytest.raises(NotAuthorized, match="identity:admin"):
        Rules().demand(ADMIN, MEMBER, {})


def test_callers_come_from_tokens(identity: Identity) -> None:
    login = Login(user=identity.store.users.get("u"), methods=("password",), target=Target("p"))
    token, _ = identity.tokens.issue(login)
    headers = {"X-AUTH-TOKEN": token, "X-SERVICE-TOKEN": token}
    context = LocalAuth(identity.tokens).authenticate(headers, "req-1")
    assert (context.user_name, context.project_id, context.roles) == ("carl", "p", ("member", "reader"))
    assert context.service_roles == ("member", "reader")
    assert context.token_key != token


@pytest.mark.parametrize("headers", [{}, {"X-AUTH-TOKEN": "nonsense"}])
def test_nobody_comes_from_no_token(identity: Identity, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        LocalAuth(identity.tokens).authenticate(headers, "req-1")
