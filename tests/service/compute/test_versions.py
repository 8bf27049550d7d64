from typing import Any

import pytest
from tests.service.compute.harness import PROJECT, Api

_BOTH = ("x-openstack-request-id", "x-compute-request-id")


def test_root_lists_both_versions_without_a_token(api: Api) -> None:
    found = api.client.simulate_get("/", headers={"Host": "cloud:8774"})
    assert found.status_code == 200
    assert [(v["id"], v["status"], v["version"]) for v in found.json["versions"]] == [
        ("v2.0", "DEPRECATED", ""),
        ("v2.1", "CURRENT", "2.104"),
    ]
    assert found.json["versions"][1]["links"] == [{"rel": "self", "href": "http://cloud:8774/v2.1/"}]


@pytest.mark.parametrize(("path", "ident"), [("/v2", "v2.0"), ("/v2/", "v2.0"), ("/v2.1", "v2.1"), ("/v2.1/", "v2.1")])
def test_a_version_describes_itself_without_a_token(api: Api, path: str, ident: str) -> None:
    assert api.client.simulate_get(path).json["version"]["id"] == ident


def test_version_by_id_needs_a_token(api: Api) -> None:
    assert api.client.simulate_get("/v2.1/versions/v2.1").status_code == 401
    assert api.get("/versions/v2.1")["version"]["id"] == "v2.1"
    api.get("/versions/v3", status=404)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unversioned_paths_answer_with_choices(api: Api, method: str) -> None:
    found = api.client.simulate_request(method, "/servers/1", headers={"Host": "cloud"})
    assert found.status_code == 300
    assert [c["links"][0]["href"] for c in found.json["choices"]] == [
        "http://cloud/v2/servers/1",
        "http://cloud/v2.1/servers/1",
    ]


@pytest.mark.parametrize("prefix", ["/v2.1", "/v2", f"/v2.1/{PROJECT}", f"/v2/{PROJECT}"])
def test_resources_answer_below_each_prefix_and_links_repeat_it(api: Api, prefix: str) -> None:
    api.post("/flavors", {"flavor": {"name": "a", "id": "a", "ram": 1, "vcpus": 1, "disk": 0}})
    api.prefix = prefix
    links = api.get("/flavors/a")["flavor"]["links"]
    project = prefix.removeprefix("/v2.1").removeprefix("/v2")
    assert [link["href"].split("/", 3)[3] for link in links] == [
        f"{prefix[1:]}/flavors/a",
        f"{project}/flavors/a".lstrip("/"),
    ]


def test_link_prefix_replaces_host_and_keeps_the_path(api: Api) -> None:
    object.__setattr__(api.compute.api, "compute_link_prefix", "https://public/compute")
    assert api.get("/versions/v2.1")["version"]["links"][0]["href"] == "https://public/compute/v2.1/"


def test_project_of_the_path_must_be_the_tokens(api: Api) -> None:
    api.prefix = "/v2.1/22222222222222222222222222222222"
    assert "project_id" in api.get("/flavors", status=400)["badRequest"]["message"]


def test_project_of_the_path_may_be_a_word_with_noauth(api: Api) -> None:
    api.project, api.prefix = "demo", "/v2.1/demo"
    assert api.get("/flavors") == {"flavors": []}


def test_unknown_path_is_401_before_404(api: Api) -> None:
    assert api.client.simulate_get("/v2.1/nonsense").status_code == 401
    assert api.get("/nonsense", status=404)["itemNotFound"]["code"] == 404


def test_wrong_method_is_404(api: Api) -> None:
    assert api.call("PATCH", "/flavors").status_code == 404
    assert api.call("POST", "/limits", body={}).status_code == 404


def test_every_reply_has_both_request_ids(api: Api) -> None:
    for result in (api.call("GET", "/flavors"), api.call("GET", "/nonsense"), api.client.simulate_get("/")):
        ids = {result.headers[name] for name in _BOTH}
        assert len(ids) == 1
        assert ids.pop().startswith("req-")


def test_versions_are_told_in_both_headers(api: Api) -> None:
    found = api.call("GET", "/flavors", "2.30")
    assert found.headers["openstack-api-version"] == "compute 2.30"
    assert found.headers["x-openstack-nova-api-version"] == "2.30"
    assert found.headers["vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


@pytest.mark.parametrize(("version", "status"), [("2.105", 406), ("3.1", 406), ("2", 400), ("a.b", 400)])
def test_bad_versions(api: Api, version: str, status: int) -> None:
    assert api.call("GET", "/flavors", version).status_code == status


def test_below_v2_versions_are_ignored_and_unknown_keys_dropped(api: Api) -> None:
    api.prefix = "/v2"
    body: dict[str, Any] = {"flavor": {"name": "a", "ram": 1, "vcpus": 1, "disk": 0, "unknown": 1}, "more": 2}
    found = api.call("POST", "/flavors", "2.104", body)
    assert found.status_code == 200
    assert "description" not in found.json["flavor"]
    assert "openstack-api-version" not in found.headers
    api.prefix = "/v2.1"
    assert api.call("POST", "/flavors", None, {**body, "flavor": {**body["flavor"], "name": "b"}}).status_code == 400
