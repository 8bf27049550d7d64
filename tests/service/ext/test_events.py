"""The journal as a stream of events."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from tests.service.cloud import Cloud, running

from kilonova.kit import codec


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("cloud"))) as cloud:
        cloud.flavor()
        yield cloud


def get(cloud: Cloud, query: str = "", token: str = "user:project", **headers: str) -> falcon.testing.Result:
    every = {"X-Auth-Token": token, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return cloud.client.simulate_get(f"/ext/v1/events?timeout=0&{query}", headers=every)


def events(result: falcon.testing.Result) -> list[dict[str, Any]]:
    assert result.status_code == 200
    assert result.headers["content-type"] == "text/event-stream"
    found = []
    for block in result.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in lines:
            found.append({"cursor": lines["id"], "event": lines["event"], **codec.loads(lines["data"])})
    return found


def kinds(found: list[dict[str, Any]], server: str) -> list[tuple[str, str]]:
    return [(e["event"], e["operation"]["action"]) for e in found if e["operation"]["server_id"] == server]


def test_a_servers_life(cloud: Cloud) -> None:
    server = cloud.boot("life")["id"]
    cloud.call("POST", f"/servers/{server}/action", {"lock": None})
    found = events(get(cloud, f"since=2020-01-01T00:00:00Z&server_id={server}"))
    assert kinds(found, server) == [
        ("operation.accepted", "create"),
        ("operation.succeeded", "create"),
        ("operation.accepted", "lock"),
        ("operation.succeeded", "lock"),
    ]
    assert found[0]["operation"]["project_id"] == "project"
    assert [e["time"] for e in found] == sorted(e["time"] for e in found)


def test_each_cursor_resumes_right_after_its_event(cloud: Cloud) -> None:
    server = cloud.boot("resumed")["id"]
    for action in ("lock", "unlock"):
        cloud.call("POST", f"/servers/{server}/action", {action: None})
    every = events(get(cloud, f"since=2020-01-01T00:00:00Z&server_id={server}"))
    assert len(every) == 6
    for place, event in enumerate(every):
        rest = events(get(cloud, f"server_id={server}", Last_Event_ID=event["cursor"]))
        assert [e["key"] for e in rest] == [e["key"] for e in every[place + 1 :]]


def test_an_event_that_appears_late_is_not_lost(cloud: Cloud) -> None:
    """Its moment is before the cursor's, but it was committed after the client went away."""
    server = cloud.boot("late")["id"]
    cursor = events(get(cloud, f"since=2020-01-01T00:00:00Z&server_id={server}"))[-1]["cursor"]
    moment, *named = cursor.split(",")
    rest = events(get(cloud, f"server_id={server}", Last_Event_ID=",".join([moment, *named[:-1], "unknown"])))
    assert [e["key"] for e in rest] == [named[-1]]


def test_projects_see_their_own(cloud: Cloud) -> None:
    server = cloud.boot("mine")["id"]
    since = "since=2020-01-01T00:00:00Z"
    assert kinds(events(get(cloud, since, token="user:other")), server) == []
    assert kinds(events(get(cloud, since, token="admin:admin")), server) == []
    assert kinds(events(get(cloud, f"{since}&all_projects=1", token="admin:admin")), server) != []
    assert get(cloud, "all_projects=1").status_code == 403


def test_from_now_on_there_is_nothing_yet(cloud: Cloud) -> None:
    assert events(get(cloud)) == []


@pytest.mark.parametrize("query", ["since=yesterday", "timeout=x", "unknown=1"])
def test_bad_input(cloud: Cloud, query: str) -> None:
    headers = {"X-Auth-Token": "user:project"}
    result = cloud.client.simulate_get(f"/ext/v1/events?{query}", headers=headers)
    assert result.status_code == 400
    assert query.split("=", maxsplit=1)[0] in result.json["badRequest"]["message"]


def test_seats_come_back(cloud: Cloud) -> None:
    assert {get(cloud).status_code for _ in range(20)} == {200}
