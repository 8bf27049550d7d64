"""Shares of servers over HTTP, with the fake share service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.clients.keystone.errors import RemoteInvalid

NOTHING = "7a1e6f62-3c44-4c6c-b84b-0d5d3df0e0aa"
ADMIN = "admin:admin"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    section = {"share_apply_policy_timeout": 0}
    with running(Path(tmp_path_factory.mktemp("shares")), manila=section) as made:
        made.flavor()
        yield made


def stopped(cloud: Cloud) -> str:
    server: str = cloud.boot()["id"]
    act(cloud, server, "os-stop", "SHUTOFF")
    return server


def act(cloud: Cloud, server: str, action: str, status: str) -> None:
    assert cloud.call("POST", f"/servers/{server}/action", {action: None}).status_code == 202
    cloud.until(server, status)


def attach(cloud: Cloud, server: str, share: str, token: str = "user:project", **more: Any) -> Any:
    body = {"share": {"share_id": share, **more}}
    return cloud.call("POST", f"/servers/{server}/shares", body, token=token)


def detach(cloud: Cloud, server: str, share: str) -> int:
    return int(cloud.call("DELETE", f"/servers/{server}/shares/{share}").status_code)


def statuses(cloud: Cloud, server: str) -> list[str]:
    found = cloud.call("GET", f"/servers/{server}/shares")
    assert found.status_code == 200
    return [share["status"] for share in found.json["shares"]]


def test_a_share_comes_with_the_start_and_goes_with_its_detachment(cloud: Cloud) -> None:
    server, share = stopped(cloud), cloud.shares.add()
    driver: Any = cloud.hosts["host1"].driver

    made = attach(cloud, server, share.id, tag="data")
    assert made.status_code == 201
    assert made.json == {"share": {"share_id": share.id, "status": "attaching", "tag": "data"}}
    wait_for(lambda: statuses(cloud, server) == ["inactive"])
    assert cloud.shares.rules(share.id) == ["127.0.0.1"]
    path = f"/servers/{server}/shares/{share.id}"
    shown = {"share_id": share.id, "status": "inactive", "tag": "data"}
    assert cloud.call("GET", path).json == {"share": shown}
    assert cloud.call("GET", f"/servers/{server}/shares").json == {"shares": [shown]}
    whole = cloud.call("GET", path, token=ADMIN).json["share"]
    assert (list(whole), whole["export_location"]) == (
        ["uuid", "share_id", "status", "export_location", "tag"],
        share.export,
    )

    act(cloud, server, "os-start", "ACTIVE")
    assert (statuses(cloud, server), driver.shares(server)) == (["active"], ("data",))
    assert detach(cloud, server, share.id) == attach(cloud, server, cloud.shares.add().id).status_code == 409
    for action in ("suspend", "shelve"):
        assert cloud.call("POST", f"/servers/{server}/action", {action: None}).status_code == 409
    act(cloud, server, "os-stop", "SHUTOFF")
    assert (statuses(cloud, server), driver.shares(server)) == (["inactive"], ())

    assert detach(cloud, server, share.id) == 200
    wait_for(lambda: statuses(cloud, server) == [])
    assert cloud.shares.rules(share.id) == []
    assert detach(cloud, server, share.id) == 404


def test_what_cannot_be_attached_is_refused(cloud: Cloud) -> None:
    server, share = stopped(cloud), cloud.shares.add()
    assert attach(cloud, server, share.id).json["share"]["tag"] == share.id

    cases: list[tuple[str, dict[str, Any], int]] = [
        (NOTHING, {}, 404),
        (cloud.shares.add(project_id="other").id, {}, 404),
        (share.id, {"tag": "b"}, 409),
        (cloud.shares.add().id, {"tag": share.id}, 409),
        (cloud.shares.add(status="creating").id, {}, 409),
        (cloud.shares.add(protocol="CIFS").id, {}, 409),
        ("x", {}, 400),
        (share.id, {"tag": "a b"}, 400),
        (share.id, {"more": 1}, 400),
    ]
    assert [attach(cloud, server, ident, **more).status_code for ident, more, _code in cases] == [c for *_, c in cases]
    homeless = cloud.shares.add()
    cloud.shares.set(homeless.id, export=None)
    assert attach(cloud, server, homeless.id).status_code == 409
    for method in ("GET", "POST"):
        assert cloud.call(method, f"/servers/{server}/shares", {"share": {}}, version="2.96").status_code == 404
    assert cloud.call("GET", f"/servers/{server}/shares", token="mallory:other").status_code == 404


def test_a_host_that_is_not_let_in_leaves_an_error_that_can_be_removed(cloud: Cloud) -> None:
    server, slow, refused = stopped(cloud), cloud.shares.add(), cloud.shares.add()
    cloud.shares.new_state = "queued_to_apply"
    attach(cloud, server, slow.id)
    wait_for(lambda: statuses(cloud, server) == ["error"])
    cloud.shares.new_state = "active"
    assert cloud.shares.rules(slow.id) == []

    cloud.shares.interfere = lambda call, _id: refuse() if call == "allow" else None
    attach(cloud, server, refused.id)
    wait_for(lambda: statuses(cloud, server) == ["error", "error"])
    cloud.shares.interfere = lambda _call, _id: None
    act(cloud, server, "os-start", "ACTIVE")
    driver: Any = cloud.hosts["host1"].driver
    assert driver.shares(server) == ()
    act(cloud, server, "os-stop", "SHUTOFF")
    assert detach(cloud, server, slow.id) == detach(cloud, server, refused.id) == 200
    wait_for(lambda: statuses(cloud, server) == [])


def refuse() -> None:
    raise RemoteInvalid(neighbour="Manila", code="", reason="no")


def test_a_share_of_two_servers_stays_until_the_last_is_deleted(cloud: Cloud) -> None:
    share, servers = cloud.shares.add(), [stopped(cloud), stopped(cloud)]
    for server in servers:
        assert attach(cloud, server, share.id, token=ADMIN).json["share"]["export_location"] == share.export
        wait_for(lambda server=server: statuses(cloud, server) == ["inactive"])  # type: ignore[misc]  # bound now

    for server, left in zip(servers, (["127.0.0.1"], []), strict=True):
        assert cloud.call("DELETE", f"/servers/{server}").status_code == 204
        cloud.until_gone(server)
        assert cloud.shares.rules(share.id) == left
