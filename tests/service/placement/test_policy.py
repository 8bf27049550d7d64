"""Who may do what: defaults old and new, scopes, a policy file; and pages of other origins."""

from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import yaml

from kilonova.kit.auth import NoAuth
from kilonova.kit.context import Context
from kilonova.kit.options import from_mapping
from kilonova.placement.api.app import build
from kilonova.placement.api.policy import RULES

RESHAPE = ("POST", "/reshaper", "1.30")
LIST = ("GET", "/resource_providers", "1.39")
USAGES = ("GET", "/usages?project_id=mine", "1.39")


class Scoped(NoAuth):
    """Tokens for the whole system."""

    def authenticate(self, headers: Any, request_id: str) -> Context:
        found = super().authenticate(headers, request_id)
        return Context(request_id=request_id, user_id=found.user_id, roles=found.roles, system_scope="all")


def may(api: Any, options: dict[str, Any], roles: str, request: tuple[str, str, str], auth: Any = None) -> bool:
    """Does policy let it pass? (What comes after may refuse for other reasons.)"""
    client = falcon.testing.TestClient(build(api.database, from_mapping(options), auth or NoAuth()))
    method, path, version = request
    headers = {"X-Auth-Token": "someone:mine", "X-Roles": roles, "OpenStack-API-Version": f"placement {version}"}
    path, _, query = path.partition("?")
    reply = client.simulate_request(
        method, path, headers=headers, query_string=query, json={} if method == "POST" else None
    )
    assert reply.status_code in (200, 400, 403)
    return reply.status_code != 403


DEFAULTS = [
    # enforce_new_defaults, roles, request, allowed
    (True, "admin", LIST, True),
    (True, "service", LIST, True),
    (True, "reader", LIST, False),
    (True, "admin", RESHAPE, False),
    (True, "service", RESHAPE, True),
    (True, "reader", USAGES, True),
    (False, "admin", LIST, True),
    (False, "service", LIST, True),
    (False, "reader", LIST, False),
    (False, "admin", RESHAPE, True),
    (False, "service", RESHAPE, True),
    (False, "member", USAGES, False),
]


@pytest.mark.parametrize(("new", "roles", "request_", "allowed"), DEFAULTS)
def test_old_and_new_defaults(api: Any, new: bool, roles: str, request_: Any, allowed: bool) -> None:
    assert may(api, {"oslo_policy": {"enforce_new_defaults": new}}, roles, request_) is allowed


@pytest.mark.parametrize(("enforced", "allowed"), [(True, False), (False, True)])
def test_rules_are_for_tokens_of_projects(api: Any, enforced: bool, allowed: bool) -> None:
    options = {"oslo_policy": {"enforce_scope": enforced}}
    assert may(api, options, "admin", LIST, Scoped()) is allowed


OVERRIDES = [
    # policy file, roles, request, allowed
    ({"placement:resource_providers:list": "role:reader"}, "reader", LIST, True),
    ({"placement:resource_providers:list": "role:reader"}, "admin", LIST, False),
    ({"placement:reshaper:reshape": "rule:admin_api"}, "admin", RESHAPE, True),
    ({"admin_or_service_api": "role:operator"}, "operator", LIST, True),
    ({"admin_or_service_api": "role:operator"}, "admin", LIST, False),
    ({"project_reader_api": "!"}, "reader", USAGES, False),
    ({"placement:resource_providers:list": "@"}, "nobody", LIST, True),
]


@pytest.mark.parametrize(("rules", "roles", "request_", "allowed"), OVERRIDES)
def test_a_policy_file_decides(
    api: Any, tmp_path: Path, rules: dict[str, str], roles: str, request_: Any, allowed: bool
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(rules))
    for section in ("oslo_policy", "placement"):
        assert may(api, {section: {"policy_file": str(file)}}, roles, request_) is allowed


def test_every_route_has_its_rule(api: Any) -> None:
    named = {rule.name for rule in RULES}
    routes = [e for e in build(api.database, from_mapping({}), NoAuth()).service.endpoints if not e.public]
    assert {e.rule or "placement:usages" for e in routes} == {n for n in named if n.startswith("placement:")}


def test_noauth_tokens(api: Any) -> None:
    for token, roles, status in [
        ("admin", "", 200),
        ("admin:mine", "", 200),
        ("someone", "", 403),
        ("someone", "admin", 200),
        ("admin", "member", 403),
        (None, "admin", 401),
    ]:
        assert api.call("GET", "/resource_providers", token=token, roles=roles).status_code == status


def test_pages_of_other_origins(api: Any) -> None:
    page = "https://dashboard.example.com"
    app = build(api.database, from_mapping({"cors": {"allowed_origin": [page]}}), NoAuth())
    client = falcon.testing.TestClient(app)
    asked = {"Origin": page, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-auth-token"}
    allowed = client.simulate_options("/resource_providers", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-headers"]) == (204, "x-auth-token")
    reply = client.simulate_get("/resource_providers", headers={"Origin": page, "X-Auth-Token": "admin"})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, page)
    assert "access-control-allow-origin" not in api.client.simulate_get("/", headers={"Origin": page}).headers
