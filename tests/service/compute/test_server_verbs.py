"""The actions that leave a server on its host, or take it off it and back: over HTTP, down to the fake driver."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.cloud import Cloud, running, wait_for

ADMIN = "admin:project"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), "host1", "host2") as made:
        made.flavor()
        made.network = made.network_api.network("private", "project")  # type: ignore[attr-defined]  # for the tests here
        yield made


def act(cloud: Cloud, uuid: str, action: str, value: Any = None, *, status: int = 202, **how: Any) -> Any:
    result = cloud.call("POST", f"/servers/{uuid}/action", {action: value}, **{"token": ADMIN, **how})
    assert result.status_code == status, result.text
    return result


def events(cloud: Cloud, uuid: str) -> list[tuple[str, list[str]]]:
    """Actions, newest first, each with its events in order."""
    path = f"/servers/{uuid}/os-instance-actions"
    found = []
    for action in cloud.call("GET", path, token=ADMIN).json["instanceActions"]:
        whole = cloud.call("GET", f"{path}/{action['request_id']}", token=ADMIN).json["instanceAction"]
        found.append((action["action"], [event["event"] for event in reversed(whole["events"])]))
    return found


def test_rebuild_from_another_image(cloud: Cloud) -> None:
    other = cloud.images.add(type(_new())(**{**_fields(), "name": "other"}), b"other")
    uuid = cloud.boot(metadata={"a": "b"})["id"]
    host = cloud.show(uuid, token=ADMIN).json["server"]["OS-EXT-SRV-ATTR:host"]
    body = {"imageRef": other.id, "name": "anew", "metadata": {"c": "d"}, "adminPass": "seekrit"}
    reply = act(cloud, uuid, "rebuild", body)
    document = reply.json["server"]
    assert (document["image"]["id"], document["adminPass"]) == (other.id, "seekrit")
    assert reply.headers["location"].endswith(uuid)
    server = cloud.until(uuid, "ACTIVE")
    assert (server["image"]["id"], server["name"], server["metadata"]) == (other.id, "anew", {"c": "d"})
    assert cloud.show(uuid, token=ADMIN).json["server"]["OS-EXT-SRV-ATTR:host"] == host
    assert events(cloud, uuid)[0] == ("rebuild", ["conductor_schedule", "compute_rebuild_instance"])


def _fields() -> dict[str, Any]:
    return {"name": "x", "disk_format": "qcow2", "container_format": "bare", "visibility": "public"}


def _new() -> Any:
    from kilonova.clients.glance.facts import NewImage  # noqa: PLC0415

    return NewImage(**_fields())


def test_a_stopped_server_is_rebuilt_and_off_again(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    act(cloud, uuid, "os-stop")
    cloud.until(uuid, "SHUTOFF")
    act(cloud, uuid, "rebuild", {"imageRef": cloud.image.id})
    assert cloud.until(uuid, "SHUTOFF")["OS-EXT-STS:power_state"] == 4


def test_rescue(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    assert act(cloud, uuid, "rescue", {"adminPass": "MySecretPass"}, status=200).json == {"adminPass": "MySecretPass"}
    cloud.until(uuid, "RESCUE")
    act(cloud, uuid, "rescue", status=409)
    act(cloud, uuid, "unrescue")
    cloud.until(uuid, "ACTIVE")


def test_shelve_and_back(cloud: Cloud) -> None:
    uuid = cloud.boot(networks=[{"uuid": cloud.network}])["id"]  # type: ignore[attr-defined]
    act(cloud, uuid, "shelve")
    wait_for(lambda: cloud.show(uuid).json["server"]["status"] == "SHELVED_OFFLOADED")
    assert cloud.resources.allocation(uuid) is None
    act(cloud, uuid, "unshelve")
    cloud.until(uuid, "ACTIVE")
