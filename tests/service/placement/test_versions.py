"""Every route: from which version it is there, who may use it, and what a wrong method gets."""

from typing import Any

import pytest

PROVIDER = "/resource_providers/{uuid}"
ROUTES = [
    # method, path, since, default role
    ("GET", "/resource_classes", 2, "service"),
    ("POST", "/resource_classes", 2, "service"),
    ("GET", "/resource_classes/{name}", 2, "service"),
    ("PUT", "/resource_classes/{name}", 2, "service"),
    ("DELETE", "/resource_classes/{name}", 2, "service"),
    ("GET", "/resource_providers", 0, "service"),
    ("POST", "/resource_providers", 0, "service"),
    ("GET", PROVIDER, 0, "service"),
    ("PUT", PROVIDER, 0, "service"),
    ("DELETE", PROVIDER, 0, "service"),
    ("GET", f"{PROVIDER}/inventories", 0, "service"),
    ("POST", f"{PROVIDER}/inventories", 0, "service"),
    ("PUT", f"{PROVIDER}/inventories", 0, "service"),
    ("DELETE", f"{PROVIDER}/inventories", 5, "service"),
    ("GET", f"{PROVIDER}/inventories/{{name}}", 0, "service"),
    ("PUT", f"{PROVIDER}/inventories/{{name}}", 0, "service"),
    ("DELETE", f"{PROVIDER}/inventories/{{name}}", 0, "service"),
    ("GET", f"{PROVIDER}/usages", 0, "service"),
    ("GET", f"{PROVIDER}/aggregates", 1, "service"),
    ("PUT", f"{PROVIDER}/aggregates", 1, "service"),
    ("GET", f"{PROVIDER}/allocations", 0, "service"),
    ("GET", f"{PROVIDER}/traits", 6, "service"),
    ("PUT", f"{PROVIDER}/traits", 6, "service"),
    ("DELETE", f"{PROVIDER}/traits", 6, "service"),
    ("POST", "/allocations", 13, "service"),
    ("GET", "/allocations/{uuid}", 0, "service"),
    ("PUT", "/allocations/{uuid}", 0, "service"),
    ("DELETE", "/allocations/{uuid}", 0, "service"),
    ("GET", "/allocation_candidates", 10, "service"),
    ("GET", "/traits", 6, "service"),
    ("GET", "/traits/{name}", 6, "service"),
    ("PUT", "/traits/{name}", 6, "service"),
    ("DELETE", "/traits/{name}", 6, "service"),
    ("GET", "/usages?project_id=mine", 9, "reader"),
    ("POST", "/reshaper", 30, "service only"),
]
IDS = [f"{method} {path}" for method, path, _, _ in ROUTES]


def made(api: Any, path: str) -> str:
    return path.format(uuid=api.uid("any"), name="CUSTOM_ANY")


@pytest.mark.parametrize(("method", "path", "since", "role"), ROUTES, ids=IDS)
def test_is_there_from_its_version_on(api: Any, method: str, path: str, since: int, role: str) -> None:
    """A body that no schema takes shows that the route answered: 400 from its own check, or what its resource says."""
    body = {"nothing": 1} if method in ("POST", "PUT") else None
    here = api.call(method, made(api, path), body, version=f"1.{since}", roles="admin,service")
    words = "The resource could not be found."
    assert here.status_code in (200, 201, 204, 400, 404)
    assert words not in here.text
    if since:
        before = api.call(method, made(api, path), body, version=f"1.{since - 1}", roles="admin,service")
        assert before.status_code == (405 if path.endswith("/inventories") else 404)
        assert words in before.text or before.status_code == 405


@pytest.mark.parametrize(("method", "path", "since", "role"), ROUTES, ids=IDS)
def test_who_may(api: Any, method: str, path: str, since: int, role: str) -> None:
    body = {"nothing": 1} if method in ("POST", "PUT") else None

    def status(roles: str, token: str = "someone:mine") -> int:
        return int(api.call(method, made(api, path), body, roles=roles, token=token).status_code)

    allowed = {
        "admin": role != "service only",
        "service": True,
        "reader": role == "reader",
        "member": False,
    }
    assert {roles: status(roles) != 403 for roles in allowed} == allowed
    if role == "reader":
        assert status("reader", "someone:theirs") == 403
    assert api.call(method, made(api, path), body, token=None).status_code == 401


METHODS = [
    ("/resource_classes", "GET, POST"),
    ("/resource_providers", "GET, POST"),
    (f"{PROVIDER}/traits", "DELETE, GET, PUT"),
    ("/allocations", "POST"),
    ("/allocation_candidates", "GET"),
    ("/usages", "GET"),
    ("/reshaper", "POST"),
]


@pytest.mark.parametrize(("path", "allow"), METHODS)
def test_wrong_method(api: Any, path: str, allow: str) -> None:
    reply = api.call("PATCH", made(api, path), {})
    assert (reply.status_code, reply.headers["allow"]) == (405, allow)


def test_root_needs_no_token(api: Any) -> None:
    (shown,) = api.ok("GET", "/", token=None, version=None)["versions"]
    assert (shown["min_version"], shown["max_version"], shown["status"]) == ("1.0", "1.39", "CURRENT")


NEGOTIATION = [
    (None, 200, "1.0"),
    ("latest", 200, "1.39"),
    ("1.7", 200, "1.7"),
    ("1.40", 406, None),
    ("2.0", 406, None),
    ("one", 400, None),
]


@pytest.mark.parametrize(("version", "status", "answered"), NEGOTIATION)
def test_negotiation(api: Any, version: str | None, status: int, answered: str | None) -> None:
    reply = api.call("GET", "/resource_providers", version=version)
    assert reply.status_code == status
    if answered:
        assert reply.headers["openstack-api-version"] == f"placement {answered}"
    if status == 406:
        error = reply.json["errors"][0]
        assert (error["min_version"], error["max_version"]) == ("1.0", "1.39")
    assert "OpenStack-API-Version" in reply.headers["vary"]


def test_error_codes_from_1_23(api: Any) -> None:
    path = f"/resource_providers/{api.uid('nobody')}"
    old = api.call("GET", path, version="1.22").json["errors"][0]
    new = api.call("GET", path, version="1.23").json["errors"][0]
    assert set(old) == {"status", "title", "detail", "request_id"}
    assert new["code"] == "placement.undefined_code"
    assert (new["status"], new["title"]) == (404, "Not Found")


RAW = [
    (b"{", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"", "application/json", 400),
    (b"null", "application/json", 400),
    (b'"text"', "application/json", 400),
    (b"{}", "text/plain", 415),
    (b"{" + b" " * (1 << 21) + b"}", "application/json", 413),
]


@pytest.mark.parametrize(("data", "kind", "status"), RAW)
def test_bodies_that_are_no_json(api: Any, data: bytes, kind: str, status: int) -> None:
    headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39", "Content-Type": kind}
    reply = api.client.simulate_post("/resource_providers", body=data, headers=headers)
    assert reply.status_code == status
    assert reply.json["errors"][0]["status"] == status


STRANGE = [
    "/resource_providers?name=%00",
    "/resource_providers?name=%FF%FE",
    "/resource_providers?name=%F0%9F%98%80",
    "/allocations/%00",
    "/traits/%F0%9F%98%80",
    "/resource_classes/%2e%2e",
    "/usages?project_id=%00",
    "/usages?project_id=%27%3B--",
]


@pytest.mark.parametrize("path", STRANGE)
def test_strange_characters_are_no_error_of_ours(api: Any, path: str) -> None:
    assert api.call("GET", path).status_code in (200, 400, 404)
