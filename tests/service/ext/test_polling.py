"""ETag, 304 and waiting on GET /servers/{id}."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import falcon.testing
import pytest
from tests.service.cloud import Cloud, running


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("polling"))) as cloud:
        cloud.flavor()
        yield cloud


def get(cloud: Cloud, uuid: str, **headers: str) -> falcon.testing.Result:
    every = {"X-Auth-Token": "user:project", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return cloud.client.simulate_get(f"/v2.1/servers/{uuid}", headers=every)


def test_unchanged_is_304(cloud: Cloud) -> None:
    uuid = cloud.boot("a")["id"]
    tag = get(cloud, uuid).headers["etag"]
    again = get(cloud, uuid, If_None_Match=tag)
    assert (again.status_code, again.text, again.headers["etag"]) == (304, "", tag)
    assert get(cloud, uuid, If_None_Match='"other"').status_code == 200


def test_wait_ends_with_the_time(cloud: Cloud) -> None:
    uuid = cloud.boot("b")["id"]
    tag = get(cloud, uuid).headers["etag"]
    begun = time.monotonic()
    reply = get(cloud, uuid, If_None_Match=tag, Prefer="wait=1")
    assert reply.status_code == 304
    assert reply.headers["preference-applied"] == "wait=1"
    assert time.monotonic() - begun >= 1


def test_wait_ends_with_a_change(cloud: Cloud) -> None:
    uuid = cloud.boot("c")["id"]
    tag = get(cloud, uuid).headers["etag"]
    change = {"server": {"name": "changed"}}
    later = threading.Timer(0.3, lambda: cloud.call("PUT", f"/servers/{uuid}", change, version="2.1"))
    later.start()
    reply = get(cloud, uuid, If_None_Match=tag, Prefer="respond-async, wait=20")
    later.join()
    assert reply.status_code == 200
    assert reply.json["server"]["name"] == "changed"
    assert reply.headers["etag"] != tag


def test_wait_ends_with_the_server(cloud: Cloud) -> None:
    uuid = cloud.boot("d")["id"]
    tag = get(cloud, uuid).headers["etag"]
    cloud.call("DELETE", f"/servers/{uuid}")
    status = 200
    while status in {200, 304}:
        reply = get(cloud, uuid, If_None_Match=tag, Prefer="wait=20")
        status, tag = reply.status_code, reply.headers.get("etag", tag)
    assert status == 404


def test_bad_wait(cloud: Cloud) -> None:
    uuid = cloud.boot("e")["id"]
    tag = get(cloud, uuid).headers["etag"]
    refused = get(cloud, uuid, If_None_Match=tag, Prefer="wait=soon")
    assert refused.status_code == 400
    assert "wait" in refused.json["badRequest"]["message"]
