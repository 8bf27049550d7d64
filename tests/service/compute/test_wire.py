"""Rules of the wire that hold for every route: versions, prefixes, project ids, names of errors, request ids."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.cloud import Cloud, running

PROJECT = "6f70656e737461636b20342065766572"
_VERSIONED = ("OpenStack-API-Version", "X-OpenStack-Nova-API-Version")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as made:
        made.flavor()
        yield made


def ask(cloud: Cloud, method: str, path: str, *, body: Any = None, **headers: str) -> Any:
    sent = {"X-Auth-Token": f"user:{PROJECT}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    path, _, query = path.partition("?")
    return cloud.client.simulate_request(method, path, json=body, headers=sent, query_string=query or None)


@pytest.mark.parametrize(
    ("headers", "status", "version"),
    [
        ({}, 200, "2.1"),
        ({"OpenStack_API_Version": "compute 2.60"}, 200, "2.60"),
        ({"OpenStack_API_Version": "compute latest"}, 200, "2.104"),
        ({"OpenStack_API_Version": "placement 1.2, compute 2.3"}, 200, "2.3"),
        ({"OpenStack_API_Version": "placement 1.2"}, 200, "2.1"),
        ({"X_OpenStack_Nova_API_Version": "2.3"}, 200, "2.3"),
        ({"X_OpenStack_Nova_API_Version": "latest"}, 200, "2.104"),
        ({"OpenStack_API_Version": "compute 2.105"}, 406, None),
        ({"OpenStack_API_Version": "compute 3.1"}, 406, None),
        ({"OpenStack_API_Version": "compute two"}, 400, None),
        ({"X_OpenStack_Nova_API_Version": "2"}, 400, None),
    ],
)
def test_versions_are_asked_for_by_header(cloud: Cloud, headers: dict[str, str], status: int, version: Any) -> None:
    result = ask(cloud, "GET", "/v2.1/flavors", **headers)
    assert result.status_code == status
    if version:
        assert result.headers["OpenStack-API-Version"] == f"compute {version}"
        assert result.headers["X-OpenStack-Nova-API-Version"] == version
    vary = [part.strip() for part in result.headers["Vary"].split(",")]
    assert vary == list(_VERSIONED)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2.1/servers", 200),
        ("GET", f"/v2.1/{PROJECT}/servers", 200),
        ("GET", f"/v2/{PROJECT}/servers/", 404),
        ("GET", "/v2.1/11111111111111111111111111111111/servers", 400),
        ("GET", "/v2.1/servers/nobody", 404),
        ("GET", "/v2.1/nothing", 404),
        ("PATCH", "/v2.1/servers", 404),
        ("DELETE", "/v2.1/flavors", 404),
        ("GET", "/flavors", 300),
        ("GET", "/v3/servers", 300),
    ],
)
def test_paths(cloud: Cloud, method: str, path: str, status: int) -> None:
    result = ask(cloud, method, path)
    assert result.status_code == status, result.text
    if status == 300:
        assert {choice["id"] for choice in result.json["choices"]} == {"v2.0", "v2.1"}


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/", "/v2.1", "/v2.1/"])
def test_documents_of_versions_need_no_token(cloud: Cloud, path: str) -> None:
    assert cloud.client.simulate_get(path).status_code in (200, 300)
    assert cloud.client.simulate_get("/v2.1/servers").status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/servers/{server}/action", {"os-stop": None, "pause": None}, 400),
        ("/servers/{server}/action", {}, 400),
        ("/servers/{server}/action", {"dance": None}, 400),
        ("/servers/{server}/action", {"addFloatingIp": {"address": "10.0.0.1"}}, 404),
        ("/servers", {"server": {"name": "x", "flavorRef": "1", "unknown": 1}}, 400),
    ],
)
def test_bodies(cloud: Cloud, path: str, body: Any, status: int) -> None:
    result = ask(
        cloud,
        "POST",
        "/v2.1" + path.format(server="11111111-1111-4111-8111-111111111111"),
        body=body,
        OpenStack_API_Version="compute 2.60",
    )
    assert result.status_code == status, result.text


@pytest.mark.parametrize(
    ("status", "name", "path", "headers"),
    [
        (400, "badRequest", "/v2.1/flavors?limit=-1", {}),
        (401, "unauthorized", "/v2.1/flavors", {"X_Auth_Token": ""}),
        (403, "forbidden", "/v2.1/os-services", {}),
        (404, "itemNotFound", "/v2.1/flavors/none", {}),
        (406, "computeFault", "/v2.1/flavors", {"OpenStack_API_Version": "compute 2.999"}),
        (410, "computeFault", "/v2.1/os-cells", {}),
    ],
)
def test_errors_have_names(cloud: Cloud, status: int, name: str, path: str, headers: dict[str, str]) -> None:
    result = ask(cloud, "GET", path, **headers)
    assert result.status_code == status, result.text
    assert list(result.json) == [name]
    assert result.json[name]["code"] == status
    assert result.json[name]["message"]
    ids = {result.headers["X-OpenStack-Request-ID"], result.headers["X-Compute-Request-ID"]}
    assert len(ids) == 1
    assert re.fullmatch(r"req-[0-9a-f-]{36}", ids.pop())


def test_below_v2_versions_are_ignored_and_unknown_keys_dropped(cloud: Cloud) -> None:
    listed = ask(cloud, "GET", "/v2/flavors/detail", OpenStack_API_Version="compute 2.61")
    assert listed.status_code == 200
    assert not set(_VERSIONED) & set(listed.headers)
    assert "extra_specs" not in listed.json["flavors"][0]
    assert ask(cloud, "GET", "/v2/flavors", OpenStack_API_Version="compute nonsense").status_code == 200
    server = {
        "name": "old",
        "flavorRef": "1",
        "imageRef": cloud.image.id,
        "unknown": {"a": 1},
        "metadata": {"kept": "yes"},
        "networks": [],
    }
    made = ask(cloud, "POST", "/v2/servers", body={"server": server, "extra": 1})
    assert made.status_code == 202, made.text
    uuid = made.json["server"]["id"]
    assert made.json["server"]["links"][0]["href"].endswith(f"/v2/servers/{uuid}")
    shown = ask(cloud, "GET", f"/v2/{PROJECT}/servers/{uuid}").json["server"]
    assert shown["metadata"] == {"kept": "yes"}
    body = {"server": {"name": "new", "unknown": True}}
    assert ask(cloud, "PUT", f"/v2/servers/{uuid}", body=body).json["server"]["name"] == "new"
    wrong = {"server": {**server, "name": 7}}
    assert ask(cloud, "POST", "/v2/servers", body=wrong).status_code == 400


def test_other_types_of_content_are_refused(cloud: Cloud) -> None:
    headers = {"X-Auth-Token": f"user:{PROJECT}", "Content-Type": "application/xml"}
    result = cloud.client.simulate_post("/v2.1/servers", body="<server/>", headers=headers)
    assert (result.status_code, list(result.json)) == (415, ["badMediaType"])


def test_over_quota_is_forbidden_and_strangers_see_nothing(cloud: Cloud) -> None:
    limit = {"quota_set": {"key_pairs": 0}}
    assert cloud.call("PUT", f"/os-quota-sets/{PROJECT}", limit, token="admin:admin").status_code == 200
    key = {
        "keypair": {
            "name": "k",
            "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd me",
        }
    }
    assert ask(cloud, "POST", "/v2.1/os-keypairs", body=key).status_code == 403
    server = cloud.boot()["id"]
    assert ask(cloud, "GET", f"/v2.1/servers/{server}").status_code == 404
