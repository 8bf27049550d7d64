from collections.abc import Callable
from typing import Any

import pytest
from falcon import testing

from kilonova.kit.clock import ManualClock


def login_body(user: str, password: str) -> dict[str, Any]:
    section = {"user": {"name": user, "password": password, "domain": {"id": "default"}}}
    return {"auth": {"identity": {"methods": ["password"], "password": section}}}


def validate(caller: Any, token: str, query: str = "") -> testing.Result:
    reply: testing.Result = caller.call("GET", f"/v3/auth/tokens{query}", headers={"X-Subject-Token": token})
    return reply


def key_of(api: Any, plural: str, name: str) -> str:
    (found,) = api.get(f"/v3/{plural}?name={name}")[plural]
    key: str = found["id"]
    return key


# Versions and errors


def test_version_documents_need_no_token_and_warn(anonymous: Any) -> None:
    (version,) = anonymous.get("/", 300)["versions"]["values"]
    assert version["id"] == "v3.14"
    assert version["links"][0]["href"].endswith("/v3/")
    assert "Not for production" in version["description"]
    assert anonymous.get("/v3/")["version"] == version


def test_errors_have_keystones_form(anonymous: Any, demo: Any) -> None:
    error = anonymous.get("/v3/users", 401)["error"]
    assert error == {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }
    assert "WWW-Authenticate" in anonymous.call("GET", "/v3/users").headers
    assert demo.get("/v3/users", 403)["error"]["title"] == "Forbidden"
    assert demo.get("/v3/nothing", 404)["error"]["code"] == 404


# Tokens


def test_a_login_shows_what_the_token_is_for(anonymous: Any) -> None:
    body = login_body("admin", "secret-admin")
    body["auth"]["scope"] = {"project": {"name": "admin", "domain": {"name": "Default"}}}
    reply = anonymous.call("POST", "/v3/auth/tokens", json=body)
    assert reply.status_code == 201
    token = reply.json["token"]
    assert token["methods"] == ["password"]
    assert token["project"]["name"] == "admin"
    assert {role["name"] for role in token["roles"]} == {"admin", "manager", "member", "reader"}
    (compute,) = [entry for entry in token["catalog"] if entry["type"] == "compute"]
    assert {e["url"] for e in compute["endpoints"]} == {"http://lab:8774/v2.1"}
    assert {e["region"] for e in compute["endpoints"]} == {"RegionOne"}
    quiet = anonymous.call("POST", "/v3/auth/tokens?nocatalog", json=body)
    assert "catalog" not in quiet.json["token"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (login_body("admin", "wrong"), 401),
        (login_body("nobody", "secret-admin"), 401),
        ({"auth": {}}, 400),
        ({"auth": {"identity": {"methods": []}}}, 400),
        ({}, 400),
    ],
)
def test_bad_logins(anonymous: Any, body: dict[str, Any], status: int) -> None:
    anonymous.post("/v3/auth/tokens", body, status)


def test_services_validate_tokens_of_others_and_users_only_their_own(log_in: Any, demo: Any, admin: Any) -> None:
    glance = log_in("glance", "service")
    reply = validate(glance, demo.token)
    assert reply.status_code == 200
    assert reply.headers["x-subject-token"] == demo.token
    assert reply.json["token"]["user"]["name"] == "demo"
    assert "catalog" in reply.json["token"]
    assert "catalog" not in validate(glance, demo.token, "?nocatalog").json["token"]
    assert validate(demo, demo.token).status_code == 200
    assert validate(demo, admin.token).status_code == 403
    assert validate(glance, "nonsense").status_code == 404
    assert glance.call("GET", "/v3/auth/tokens").status_code == 400
    assert glance.call("HEAD", "/v3/auth/tokens", headers={"X-Subject-Token": demo.token}).status_code == 200


def test_a_revoked_token_opens_nothing(admin: Any, demo: Any) -> None:
    reply = demo.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": demo.token})
    assert reply.status_code == 204
    demo.get("/v3/auth/projects", 401)
    assert validate(admin, demo.token).status_code == 404


def test_an_expired_token_validates_only_for_those_who_allow_it(
    admin: Any, demo: Any, log_in: Any, clock: ManualClock
) -> None:
    clock.advance(3601)
    demo.get("/v3/auth/projects", 401)
    glance = log_in("glance", "service")
    assert validate(glance, demo.token).status_code == 404
    assert validate(glance, demo.token, "?allow_expired=1").status_code == 200


def test_what_a_token_opens(admin: Any, demo: Any) -> None:
    assert [p["name"] for p in demo.get("/v3/auth/projects")["projects"]] == ["demo"]
    assert [p["name"] for p in admin.get("/v3/auth/projects")["projects"]] == ["admin", "demo"]
    assert [d["id"] for d in admin.get("/v3/auth/domains")["domains"]] == ["default"]
    assert demo.get("/v3/auth/domains")["domains"] == []
    assert admin.get("/v3/auth/system")["system"] == [{"all": True}]
    assert demo.get("/v3/auth/system")["system"] == []
    assert {e["type"] for e in demo.get("/v3/auth/catalog")["catalog"]} == {"identity", "image", "compute"}


def test_system_and_domain_tokens(log_in: Any, anonymous: Any) -> None:
    system = log_in("admin", system={"all": True})
    assert validate(system, system.token).json["token"]["system"] == {"all": True}
    domain = log_in("admin", domain={"id": "default"})
    assert validate(domain, domain.token).json["token"]["domain"]["name"] == "Default"
    body = login_body("demo", "secret-demo")
    body["auth"]["scope"] = {"system": {"all": True}}
    anonymous.post("/v3/auth/tokens", body, 401)


# Users and projects


def test_a_users_life(admin: Any, log_in: Any, anonymous: Any) -> None:
    demo = key_of(admin, "projects", "demo")
    given = {"name": "carl", "password": "pw", "email": "c@example.org", "default_project_id": demo}
    user = admin.post("/v3/users", {"user": given})["user"]
    assert (user["email"], user["domain_id"], user["enabled"]) == ("c@example.org", "default", True)
    assert "password" not in user
    assert user["links"]["self"].endswith(f"/v3/users/{user['id']}")
    assert admin.post("/v3/users", {"user": given}, 409)["error"]["code"] == 409
    admin.put(f"/v3/projects/{demo}/users/{user['id']}/roles/{key_of(admin, 'roles', 'member')}")
    carl = log_in("carl", password="pw")
    assert carl.get(f"/v3/users/{user['id']}")["user"]["name"] == "carl"
    assert [p["id"] for p in carl.get(f"/v3/users/{user['id']}/projects")["projects"]] == [demo]
    changed = admin.patch(f"/v3/users/{user['id']}", {"user": {"name": "karl", "email": None}})["user"]
    assert (changed["name"], changed["email"]) == ("karl", None)
    admin.patch(f"/v3/users/{user['id']}", {"user": {"enabled": False}})
    carl.get("/v3/auth/projects", 401)
    anonymous.post("/v3/auth/tokens", login_body("karl", "pw"), 401)
    admin.delete(f"/v3/users/{user['id']}")
    admin.get(f"/v3/users/{user['id']}", 404)


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"name": ""},
        {"name": 1},
        {"name": "x", "enabled": "yes"},
        {"name": "x", "domain_id": "nowhere"},
        {"name": "x", "default_project_id": "nothing"},
    ],
)
def test_bad_users_are_refused_and_not_written(admin: Any, user: dict[str, Any]) -> None:
    before = admin.get("/v3/users")
    admin.post("/v3/users", {"user": user}, 400)
    assert admin.get("/v3/users") == before


def test_users_change_their_own_password(demo: Any, anonymous: Any, admin: Any, log_in: Any) -> None:
    path = f"/v3/users/{key_of(admin, 'users', 'demo')}/password"
    wrong = {"user": {"original_password": "no", "password": "new"}}
    demo.post(path, wrong, 401)
    demo.post(path, {"user": {"original_password": "secret-demo", "password": "new"}}, 204)
    demo.get("/v3/auth/projects", 401)
    anonymous.post("/v3/auth/tokens", login_body("demo", "secret-demo"), 401)
    log_in("demo", "demo", password="new")


def test_members_see_themselves_and_their_project_only(demo: Any, admin: Any) -> None:
    for method, path in (
        ("GET", "/v3/users"),
        ("GET", "/v3/projects"),
        ("GET", f"/v3/users/{key_of(admin, 'users', 'admin')}"),
        ("GET", f"/v3/projects/{key_of(admin, 'projects', 'admin')}"),
        ("GET", "/v3/services"),
        ("GET", "/v3/role_assignments"),
        ("DELETE", f"/v3/users/{key_of(admin, 'users', 'demo')}"),
    ):
        assert demo.call(method, path).status_code == 403, path
    assert demo.get(f"/v3/projects/{key_of(admin, 'projects', 'demo')}")["project"]["name"] == "demo"
    assert demo.get("/v3/domains/default")["domain"]["name"] == "Default"
    assert demo.get(f"/v3/role_assignments?user.id={key_of(admin, 'users', 'demo')}")["role_assignments"]


def test_a_projects_life(admin: Any) -> None:
    project = admin.post("/v3/projects", {"project": {"name": "p", "tags": ["a"], "color": "red"}})["project"]
    assert (project["parent_id"], project["is_domain"], project["color"]) == ("default", False, "red")
    child = admin.post("/v3/projects", {"project": {"name": "c", "parent_id": project["id"]}})["project"]
    assert [p["name"] for p in admin.get(f"/v3/projects?parent_id={project['id']}")["projects"]] == ["c"]
    path = f"/v3/projects/{project['id']}"
    admin.delete(path, 403)
    admin.delete(f"/v3/projects/{child['id']}")
    changed = admin.patch(path, {"project": {"enabled": False, "tags": []}})["project"]
    assert (changed["enabled"], changed["tags"], changed["color"]) == (False, [], "red")
    assert [p["name"] for p in admin.get("/v3/projects?enabled=false")["projects"]] == ["p"]
    admin.patch(path, {"project": {"domain_id": "other"}}, 403)
    admin.patch(path, {"project": {"id": "other"}}, 400)
    admin.patch(path, {"project": {"name": "demo"}}, 409)
    admin.delete(path)
    admin.delete(path, 404)


def test_a_domain_must_be_disabled_to_go(admin: Any) -> None:
    domain = admin.post("/v3/domains", {"domain": {"name": "d"}})["domain"]
    path = f"/v3/domains/{domain['id']}"
    user = admin.post("/v3/users", {"user": {"name": "demo", "domain_id": domain["id"]}})["user"]
    admin.delete(path, 403)
    admin.patch(path, {"domain": {"enabled": False}})
    admin.delete(path)
    admin.get(f"/v3/users/{user['id']}", 404)


# Groups, roles, grants


def test_groups_carry_roles_to_their_users(admin: Any, log_in: Any, anonymous: Any) -> None:
    group = admin.post("/v3/groups", {"group": {"name": "g"}})["group"]
    demo, role = key_of(admin, "users", "demo"), key_of(admin, "roles", "manager")
    project = key_of(admin, "projects", "admin")
    member = f"/v3/groups/{group['id']}/users/{demo}"
    grant = f"/v3/projects/{project}/groups/{group['id']}/roles/{role}"
    admin.put(grant)
    assert admin.call("HEAD", member).status_code == 404
    admin.put(member)
    assert admin.call("HEAD", member).status_code == 204
    assert [u["name"] for u in admin.get(f"/v3/groups/{group['id']}/users")["users"]] == ["demo"]
    assert [g["name"] for g in admin.get(f"/v3/users/{demo}/groups")["groups"]] == ["g"]
    caller = log_in("demo", "admin")
    roles = {r["name"] for r in validate(caller, caller.token).json["token"]["roles"]}
    assert roles == {"manager", "member", "reader"}
    admin.delete(member)
    admin.delete(member, 404)
    caller.get("/v3/auth/projects", 401)


def test_grants_are_given_checked_listed_and_taken(admin: Any) -> None:
    user, role = key_of(admin, "users", "demo"), key_of(admin, "roles", "reader")
    for where in (f"/v3/projects/{key_of(admin, 'projects', 'admin')}", "/v3/domains/default", "/v3/system"):
        roles = f"{where}/users/{user}/roles"
        assert admin.call("HEAD", f"{roles}/{role}").status_code == 404
        admin.put(f"{roles}/{role}")
        assert admin.call("HEAD", f"{roles}/{role}").status_code == 204
        assert [r["name"] for r in admin.get(roles)["roles"]] == ["reader"]
        admin.delete(f"{roles}/{role}")
        admin.delete(f"{roles}/{role}", 404)
        admin.put(f"{roles}/nothing", status=404)


def test_role_assignments_with_filters_names_and_effect(admin: Any) -> None:
    demo = key_of(admin, "users", "demo")
    (bare,) = admin.get(f"/v3/role_assignments?user.id={demo}")["role_assignments"]
    project = key_of(admin, "projects", "demo")
    assert bare["scope"] == {"project": {"id": project}}
    assert bare["user"] == {"id": demo}
    assert bare["links"]["assignment"].endswith(f"/v3/projects/{project}/users/{demo}/roles/{bare['role']['id']}")
    named = admin.get(f"/v3/role_assignments?user.id={demo}&include_names&effective")["role_assignments"]
    assert {a["role"]["name"] for a in named} == {"member", "reader"}
    assert named[0]["scope"]["project"] == {
        "id": project,
        "name": "demo",
        "domain": {"id": "default", "name": "Default"},
    }
    system = admin.get("/v3/role_assignments?scope.system=all&include_names=true")["role_assignments"]
    assert [(a["user"]["name"], a["scope"]) for a in system] == [("admin", {"system": {"all": True}})]
    reader = key_of(admin, "roles", "reader")
    assert admin.get(f"/v3/role_assignments?role.id={reader}")["role_assignments"] == []
    assert admin.get("/v3/role_assignments?scope.OS-INHERIT:inherited_to=projects")["role_assignments"] == []


def test_roles_imply_but_never_in_a_circle(admin: Any) -> None:
    role = admin.post("/v3/roles", {"role": {"name": "r"}})["role"]["id"]
    reader, member = key_of(admin, "roles", "reader"), key_of(admin, "roles", "member")
    one = f"/v3/roles/{role}/implies/{reader}"
    admin.get(one, 404)
    assert admin.put(one, status=201)["role_inference"]["implies"]["name"] == "reader"
    assert admin.get(one)["role_inference"]["prior_role"]["name"] == "r"
    assert [r["name"] for r in admin.get(f"/v3/roles/{role}/implies")["role_inference"]["implies"]] == ["reader"]
    admin.put(f"/v3/roles/{reader}/implies/{member}", status=400)
    priors = [i["prior_role"]["name"] for i in admin.get("/v3/role_inferences")["role_inferences"]]
    assert priors == ["admin", "manager", "member", "r"]
    admin.delete(one)
    admin.delete(one, 404)
    admin.post("/v3/roles", {"role": {"name": "x", "domain_id": "default"}}, 400)


# Catalog


def test_services_endpoints_and_regions(admin: Any, demo: Any) -> None:
    admin.put("/v3/regions/North", {"region": {"description": "up"}}, 201)
    admin.put("/v3/regions/North", {"region": {}}, 409)
    admin.post("/v3/regions", {"region": {"id": "Hill", "parent_region_id": "North"}})
    assert [r["id"] for r in demo.get("/v3/regions?parent_region_id=North")["regions"]] == ["Hill"]
    service = admin.post("/v3/services", {"service": {"type": "dns", "name": "designate"}})["service"]
    given = {"service_id": service["id"], "interface": "public", "url": "http://h/$(project_id)s", "region": "Hill"}
    endpoint = admin.post("/v3/endpoints", {"endpoint": given})["endpoint"]
    assert (endpoint["region"], endpoint["region_id"]) == ("Hill", "Hill")
    (entry,) = [e for e in demo.get("/v3/auth/catalog")["catalog"] if e["type"] == "dns"]
    project = key_of(admin, "projects", "demo")
    assert [e["url"] for e in entry["endpoints"]] == [f"http://h/{project}"]
    admin.delete("/v3/regions/Hill", 403)
    path = f"/v3/endpoints?service_id={service['id']}&interface=public"
    assert len(admin.get(path)["endpoints"]) == 1
    admin.delete(f"/v3/services/{service['id']}")
    assert admin.get(path)["endpoints"] == []


@pytest.mark.parametrize(
    "endpoint",
    [
        {"interface": "public", "url": "http://h"},
        {"service_id": "nothing", "interface": "public", "url": "http://h"},
        {"service_id": "compute", "interface": "sideways", "url": "http://h"},
        {"service_id": "compute", "interface": "public", "url": "no url"},
        {"service_id": "compute", "interface": "public", "url": "http://h", "region_id": "Nowhere"},
    ],
)
def test_bad_endpoints(admin: Any, endpoint: dict[str, Any]) -> None:
    (service,) = admin.get("/v3/services?type=compute")["services"]
    given = {k: service["id"] if v == "compute" else v for k, v in endpoint.items()}
    admin.post("/v3/endpoints", {"endpoint": given}, 400)


# Application credentials, limits


@pytest.fixture
def credentials(admin: Any) -> str:
    return f"/v3/users/{key_of(admin, 'users', 'demo')}/application_credentials"


def secret_login(credential: dict[str, Any]) -> dict[str, Any]:
    section = {"id": credential["id"], "secret": credential["secret"]}
    methods = ["application_credential"]
    return {"auth": {"identity": {"methods": methods, "application_credential": section}}}


def test_an_application_credentials_life(demo: Any, anonymous: Any, application: Any, credentials: str) -> None:
    given = {"name": "robot", "roles": [{"name": "reader"}], "expires_at": "2026-02-01T00:00:00"}
    made = demo.post(credentials, {"application_credential": given})["application_credential"]
    assert made["expires_at"] == "2026-02-01T00:00:00.000000"
    assert [role["name"] for role in made["roles"]] == ["reader"]
    (listed,) = demo.get(f"{credentials}?name=robot")["application_credentials"]
    assert "secret" not in listed
    reply = anonymous.call("POST", "/v3/auth/tokens", json=secret_login(made))
    assert reply.status_code == 201
    assert reply.json["token"]["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    assert [role["name"] for role in reply.json["token"]["roles"]] == ["reader"]
    robot = type(demo)(application, reply.headers["x-subject-token"])
    robot.post(credentials, {"application_credential": {"name": "more"}}, 403)
    demo.post(credentials, {"application_credential": given}, 409)
    assert demo.get(f"{credentials}/{made['id']}")["application_credential"]["name"] == "robot"
    demo.delete(f"{credentials}/{made['id']}")
    demo.get(f"{credentials}/{made['id']}", 404)
    robot.get("/v3/auth/projects", 401)
    anonymous.post("/v3/auth/tokens", secret_login(made), 401)


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "x", "roles": [{"name": "admin"}]},
        {"name": "x", "expires_at": "tomorrow"},
        {"name": "x", "expires_at": "2020-01-01T00:00:00"},
        {"name": "x", "access_rules": [{"method": "GET", "path": "/", "service": "compute"}]},
        {"name": "x", "colour": "red"},
    ],
)
def test_bad_application_credentials(demo: Any, credentials: str, given: dict[str, Any]) -> None:
    demo.post(credentials, {"application_credential": given}, 400)
    assert demo.get(credentials)["application_credentials"] == []


def test_application_credentials_are_the_users_own(admin: Any, demo: Any, log_in: Callable[..., Any]) -> None:
    path = f"/v3/users/{key_of(admin, 'users', 'admin')}/application_credentials"
    demo.post(path, {"application_credential": {"name": "x"}}, 403)
    demo.get(path, 403)
    own = admin.post(path, {"application_credential": {"name": "x"}})["application_credential"]
    others = f"/v3/users/{key_of(admin, 'users', 'demo')}/application_credentials/{own['id']}"
    demo.get(others, 404)
    demo.delete(others, 404)
    unscoped = log_in("admin", system={"all": True})
    unscoped.post(path, {"application_credential": {"name": "y"}}, 400)


def test_limits_and_access_rules_are_truly_empty(demo: Any, admin: Any) -> None:
    assert demo.get("/v3/limits")["limits"] == []
    assert demo.get("/v3/registered_limits")["registered_limits"] == []
    assert demo.get("/v3/limits/model")["model"]["name"] == "flat"
    assert demo.get(f"/v3/users/{key_of(admin, 'users', 'demo')}/access_rules")["access_rules"] == []
    admin.post("/v3/registered_limits", {"registered_limits": []}, 405)
