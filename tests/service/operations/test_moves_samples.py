"""Replies about moves, volumes of servers and rescue have the keys and types of the published samples.

``tests/golden/moves/samples.json`` holds the samples' shapes, in the form of ``test_servers_samples``.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import wait_for
from tests.service.compute.test_servers_samples import differences
from tests.service.operations.crash import Fuse, Site

ADMIN = "admin:project"
_FILE = Path(__file__).parents[2] / "golden" / "moves" / "samples.json"
_SAMPLES: list[dict[str, Any]] = json.loads(_FILE.read_text())
_CASES = [
    pytest.param(entry, minor, id=f"{entry['sample']}@2.{minor}")
    for entry in _SAMPLES
    for minor in dict.fromkeys((entry["since"], entry["until"]))
]
_QUERIES = {
    "migrations-get-with-limit": "&limit=1",
    "migrations-get-with-changes-before": "&changes-before=2099-01-01T00:00:00Z",
}


class World:
    """A server that moved twice and has volumes, and one that is being moved live."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.server, self.moving = site.create(), site.create()
        for uuid in (self.server, self.moving):
            site.until(uuid, "ACTIVE")
        for _number in range(2):
            self.act(self.server, "migrate", None)
            site.until(self.server, "VERIFY_RESIZE")
            self.act(self.server, "confirmResize", None)
            site.until(self.server, "ACTIVE")
        self.volume = self.attached(104)
        site.faults.slow("tick", 1)
        self.act(self.moving, "os-migrateLive", {"host": None, "block_migration": "auto"})
        path = f"/servers/{self.moving}/migrations"
        wait_for(lambda: site.call("GET", path, token=ADMIN).json["migrations"])
        (under_way,) = site.call("GET", path, token=ADMIN).json["migrations"]
        wait_for(lambda: site.call("GET", f"{path}/{under_way['id']}", token=ADMIN).json["migration"]["updated_at"])
        self.migration = under_way["id"]

    def act(self, uuid: str, action: str, value: Any) -> None:
        result = self.site.call("POST", f"/servers/{uuid}/action", {action: value}, token=ADMIN)
        assert result.status_code in {202, 204}, result.text

    def attached(self, minor: int) -> str:
        """A new volume of the server."""
        volume = self.site.volumes.add().id
        result = self.attach(volume, minor)
        assert result.status_code in {200, 202}, result.text
        self.site.settle(self.server)
        return volume

    def attach(self, volume: str, minor: int) -> Any:
        body: dict[str, Any] = {"volumeId": volume}
        if minor >= 49:
            body["tag"] = "foo"
        path = f"/servers/{self.server}/os-volume_attachments"
        return self.site.call("POST", path, {"volumeAttachment": body}, version=f"2.{minor}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.open()
    with ExitStack() as stack:
        stack.enter_context(site.conducting(Fuse()))
        made = World(site)
        yield made
        site.faults.clear()
        site.settle(made.moving)
    site.stop()


def _reply(entry: dict[str, Any], minor: int, world: World) -> Any:
    sample = entry["sample"].rsplit("/", 1)[-1]
    world.site.settle(world.server)
    if sample == "attach-volume-to-server-resp":
        return world.attach(world.site.volumes.add().id, minor)
    about = world.moving if "/migrations" in entry["path"] else world.server
    path = entry["path"].format(server_id=about, volume_id=world.volume, migration_id=world.migration)
    if sample == "server-rescue":
        rescued = world.site.create()
        world.site.until(rescued, "ACTIVE")
        path = f"/servers/{rescued}/action"
        body = {"rescue": {"adminPass": "MySecretPass"}}
        return world.site.call("POST", path, body, version=f"2.{minor}", token=ADMIN)
    if path == "/os-migrations":
        listed = world.moving if "'links'" in str(entry["shape"]) else world.server
        path += f"?instance_uuid={listed}{_QUERIES.get(sample, '')}"
    return world.site.call("GET", path, version=f"2.{minor}", token=ADMIN)


@pytest.mark.parametrize(("entry", "minor"), _CASES)
def test_reply_is_shaped_like_the_sample(entry: dict[str, Any], minor: int, world: World) -> None:
    result = _reply(entry, minor, world)
    assert result.status_code == 200, result.text
    assert differences(entry["shape"], result.json) == []
    first, *_more = result.json.values()
    assert first != [], "an empty list proves nothing"
