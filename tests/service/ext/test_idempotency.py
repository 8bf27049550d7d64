"""The same key and body get the first reply again, whatever happened to the process in between."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.kit.clock import stamp
from kilonova.store import idempotency as rows


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("cloud"))) as cloud:
        cloud.flavor()
        yield cloud


class Project:
    """Each test has a project of its own."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud = cloud
        self.token = f"user:{name}"

    def body(self, name: str = "web", **more: Any) -> dict[str, Any]:
        image = self.cloud.image.id
        return {"server": {"name": name, "imageRef": image, "flavorRef": "1", "networks": "none", **more}}

    def post(self, body: Any, key: str = "k1", *, path: str = "/servers", token: str = "") -> falcon.testing.Result:
        headers = {"X-Auth-Token": token or self.token, "OpenStack-API-Version": "compute 2.104"}
        return self.cloud.client.simulate_post(f"/v2.1{path}", json=body, headers={**headers, "Idempotency-Key": key})

    def servers(self) -> list[Any]:
        found: list[Any] = self.cloud.call("GET", "/servers", token=self.token).json["servers"]
        return found

    def until(self, uuid: str, status: str) -> None:
        wait_for(lambda: self.cloud.show(uuid, token=self.token).json["server"]["status"] == status)

    def lose(self, changes: str = "") -> None:
        """The process died before it kept the reply."""
        with self.cloud.store.api.write() as connection:
            connection.exec_driver_sql(
                f"UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL{changes}"
            )


@pytest.fixture(name="project")
def _project(whole: Cloud, request: pytest.FixtureRequest) -> Project:
    return Project(whole, "".join(letter for letter in request.node.name if letter.isalnum())[:40])


def test_second_create_is_the_first(project: Project) -> None:
    first, second = project.post(project.body()), project.post(project.body())
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json == first.json
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(project.servers()) == 1


def test_order_of_keys_is_no_difference(project: Project) -> None:
    body = project.body()
    turned = {"server": dict(reversed(list(body["server"].items())))}
    assert project.post(turned).json == project.post(body).json


def test_another_body_is_refused(project: Project) -> None:
    project.post(project.body())
    refused = project.post(project.body("other"))
    assert refused.status_code == 409
    assert "k1" in refused.json["conflictingRequest"]["message"]


def test_keys_are_a_users_own(project: Project) -> None:
    first = project.post(project.body())
    other = project.post(project.body(), token="user:elsewhere")
    assert other.json["server"]["id"] != first.json["server"]["id"]


def test_refused_request_frees_its_key(project: Project) -> None:
    assert project.post(project.body(flavorRef="nothing")).status_code == 400
    assert project.post(project.body()).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_bad_key(project: Project, key: str) -> None:
    refused = project.post(project.body(), key)
    assert refused.status_code == 400
    assert "Idempotency-Key" in refused.json["badRequest"]["message"]


def test_actions_are_done_once(project: Project) -> None:
    uuid = project.post(project.body()).json["server"]["id"]
    project.until(uuid, "ACTIVE")
    path = f"/servers/{uuid}/action"
    assert project.post({"os-stop": None}, "stop", path=path).status_code == 202
    project.until(uuid, "SHUTOFF")
    again = project.post({"os-stop": None}, "stop", path=path)  # would be 409 by itself
    assert again.status_code == 202
    assert project.post({"os-start": None}, "stop", path=path).status_code == 409


def test_parallel_requests_make_one_server(project: Project) -> None:
    replies: list[falcon.testing.Result] = []
    threads = [threading.Thread(target=lambda: replies.append(project.post(project.body()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json["server"]["id"] for reply in replies}) == 1


def test_reply_lost_in_a_crash_is_made_again(project: Project) -> None:
    first = project.post(project.body())
    project.lose()
    second = project.post(project.body())
    assert second.json == first.json
    assert second.headers["location"] == first.headers["location"]
    assert len(project.servers()) == 1
    action = {"os-stop": None}
    path = f"/servers/{first.json['server']['id']}/action"
    project.until(first.json["server"]["id"], "ACTIVE")
    project.post(action, "k2", path=path)
    project.lose()
    assert project.post(action, "k2", path=path).status_code == 202


def test_key_of_a_process_that_died_before_it_accepted(project: Project) -> None:
    body = project.body()
    project.post(body)
    old = stamp(project.cloud.tools.clock.now() - timedelta(minutes=2))
    project.lose(f", request_id = 'lost', held_until = '{old}'")
    assert project.post(body).status_code == 202
    assert len(project.servers()) == 2


def test_keys_are_kept_for_a_day(project: Project) -> None:
    project.post(project.body())
    now = project.cloud.tools.clock.now()
    with project.cloud.store.api.write() as connection:
        assert rows.purge(connection, stamp(now - timedelta(days=1))) == 0
        assert rows.purge(connection, stamp(now + timedelta(seconds=1))) > 0
