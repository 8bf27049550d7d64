"""Why a server is where it is, and what would become of a request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("cloud")), "host1", "host2") as cloud:
        cloud.flavor()
        cloud.flavor("huge", ident="huge", vcpus=4_000)
        yield cloud


def why(cloud: Cloud, uuid: str, token: str = "user:project") -> dict[str, Any]:
    result = cloud.client.simulate_get(f"/ext/v1/servers/{uuid}/why", headers={"X-Auth-Token": token})
    assert result.status_code == 200, result.text
    found: dict[str, Any] = result.json["why"]
    return found


def test_placed(cloud: Cloud) -> None:
    server = cloud.boot("placed")["id"]
    found = why(cloud, server)
    assert found["last_failure"] is None
    (choice,) = found["placements"]
    assert (choice["action"], choice["outcome"], choice["had_room"], choice["host"]) == ("create", "placed", 2, None)
    assert {entry["left"] for entry in choice["filters"]} == {2}
    assert "ComputeFilter" in {entry["name"] for entry in choice["filters"]}
    assert why(cloud, server, "admin:admin")["placements"][0]["host"] in {"host1", "host2"}


def test_no_host(cloud: Cloud) -> None:
    server = cloud.boot("refused", wait=False, flavorRef="huge")["id"]
    cloud.until(server, "ERROR")
    found = why(cloud, server)
    assert found["placements"][0]["outcome"] == "no_host"
    assert found["placements"][0]["had_room"] == 0
    assert "VCPU" in found["last_failure"]["message"]


def test_a_filter_refused_some(cloud: Cloud) -> None:
    group = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    uuid = cloud.call("POST", "/os-server-groups", group).json["server_group"]["id"]
    server = {"name": "apart", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none"}
    made = [
        cloud.call("POST", "/servers", {"server": server, "os:scheduler_hints": {"group": uuid}}).json["server"]["id"]
        for _ in range(3)
    ]
    for each in made[:2]:
        cloud.until(each, "ACTIVE")
    cloud.until(made[2], "ERROR")
    (choice,) = why(cloud, made[2])["placements"]
    assert (choice["outcome"], choice["had_room"]) == ("no_host", 2)
    assert choice["filters"][-1]["name"] == "ServerGroupAntiAffinityFilter"
    assert choice["filters"][-1]["left"] == 0
    assert choice["filters"][-1]["reason"]
    assert "host1" not in str(choice)


def test_another_projects_server(cloud: Cloud) -> None:
    server = cloud.boot("hidden")["id"]
    path = f"/ext/v1/servers/{server}/why"
    assert cloud.client.simulate_get(path, headers={"X-Auth-Token": "user:else"}).status_code == 404
    assert cloud.client.simulate_get(path).status_code in {401, 404}
