"""Replies about servers have the keys and types of the published samples, at both ends of each stretch of versions.

``tests/golden/servers/samples.json`` holds the samples' shapes: a word is a JSON type, ``{}`` an object with free keys,
``[]`` a list that the sample shows empty.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running

_FILE = Path(__file__).parents[2] / "golden" / "servers" / "samples.json"
_SAMPLES: list[dict[str, Any]] = json.loads(_FILE.read_text())
_CASES = [
    pytest.param(entry, minor, id=f"{entry['sample']}@2.{minor}")
    for entry in _SAMPLES
    for minor in dict.fromkeys((entry["since"], entry["until"]))
]
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}
_ADMIN_KEYS = ("OS-EXT-SRV-ATTR:host", "host_status")
# Values that differ by nature: what the sample's server has and ours has not, or the other way round.
_EITHER = {
    "description",
    "details",
    "host",
    "internal_access_path",
    "key_name",
    "locked_reason",
    "message",
    "pinned_availability_zone",
    "tag",
    "task_state",
    "trusted_image_certificates",
    "user_data",
}
_ADMIN_PATHS = frozenset(
    {
        "/os-server-external-events",
        "/os-console-auth-tokens/{console_token}",
        "/servers/{server_id}/diagnostics",
    }
)
_QUERIES = {
    "servers-details-with-changes-before": "changes-before=2099-01-01T00:00:00Z",
    "servers-list-with-changes-before": "changes-before=2099-01-01T00:00:00Z",
    "instance-actions-list-with-changes-since": "changes-since=2000-01-01T00:00:00Z",
    "instance-actions-list-with-changes-before": "changes-before=2099-01-01T00:00:00Z",
    "instance-actions-list-with-limit-resp": "limit=1",
    "servers-details-resp": "sort_key=created_at&sort_dir=asc&limit=1",
    "servers-list-resp": "limit=1",
}


class World:
    """A cloud with three servers, one of which has everything."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        cloud.flavor()
        cloud.flavor("m1.large", ident="2", **{"OS-FLV-EXT-DATA:ephemeral": 1})
        network = cloud.network_api.network("private", "project")
        self.network = network
        group = cloud.network_api.security_group("web", "project")
        assert group
        server = cloud.boot(
            networks=[{"uuid": network}],
            metadata={"foo": "Foo Value"},
            tags=["tag1", "tag2"],
            user_data="IyEvYmluL2Jhc2gK",
            accessIPv4="1.2.3.4",
            accessIPv6="80fe::",
        )
        self.server: str = server["id"]
        for _number in range(2):
            cloud.boot(networks=[{"uuid": network}])
        cloud.call("POST", f"/servers/{self.server}/action", {"reboot": {"type": "HARD"}})
        cloud.until(self.server, "ACTIVE")
        actions = self.get(f"/servers/{self.server}/os-instance-actions")["instanceActions"]
        self.first_action, self.request = actions[0]["request_id"], actions[-1]["request_id"]

    def get(self, path: str) -> Any:
        return self.cloud.call("GET", path).json

    def console(self) -> str:
        """A token of a console that has all a console can have."""
        body = {"remote_console": {"protocol": "spice", "type": "spice-direct"}}
        reply = self.cloud.call("POST", f"/servers/{self.server}/remote-consoles", body)
        return str(reply.json["remote_console"]["url"].partition("token=")[2])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    offered = {"enabled": True}
    with running(tmp_path_factory.mktemp("cloud"), spice=offered, serial_console=offered) as cloud:
        yield World(cloud)


def _body(sample: str, minor: int, world: World) -> Any:
    new: dict[str, Any] = {"name": "new", "imageRef": world.cloud.image.id, "flavorRef": "1", "networks": []}
    updated: dict[str, Any] = {"name": "web", "accessIPv4": "4.3.2.1", "OS-DCF:diskConfig": "AUTO"}
    if minor >= 19:
        updated["description"] = "Sample description"
    event = {"name": "network-changed", "server_uuid": world.server, "status": "completed", "tag": "foo"}
    rebuild = {"rebuild": {"imageRef": world.cloud.image.id, "adminPass": "seekr3t", "metadata": {"a": "b"}}}
    bodies: dict[str, Any] = {
        "server-action-rebuild-resp": rebuild,
        "server-action-rebuild-preserve-ephemeral-resp": rebuild,
        "create-backup-resp": {"createBackup": {"name": "b", "backup_type": "weekly", "rotation": 1}},
        "get-spice-console-post-resp": {"os-getSPICEConsole": {"type": "spice-html5"}},
        "get-serial-console-post-resp": {"os-getSerialConsole": {"type": "serial"}},
        "create-spice-direct-console-resp": {"remote_console": {"protocol": "spice", "type": "spice-direct"}},
        "console-output-post-resp": {"os-getConsoleOutput": {"length": 50}},
        "create-vnc-console-resp": {"remote_console": {"protocol": "vnc", "type": "novnc"}},
        "get-vnc-console-post-resp": {"os-getVNCConsole": {"type": "novnc"}},
        "event-create-resp": {"events": [event]},
        "multiple-create-post-resp": {"server": {**new, "min_count": 2, "return_reservation_id": True}},
        "multiple-create-no-resv-post-resp": {"server": {**new, "min_count": 2}},
        "server-action-create-image-resp": {"createImage": {"name": "copy"}},
        "server-create-resp": {"server": new},
        "server-update-resp": {"server": updated},
        "server-put-resp": {"server": updated},
        "server-tags-put-all-resp": {"tags": ["tag1", "tag2"]},
    }
    return bodies[sample]


def _is_admins(shape: Any) -> bool:
    server = shape.get("server") or (shape.get("servers") or [{}])[0]
    if any(key in server for key in _ADMIN_KEYS):
        return True
    events = shape.get("instanceAction", {}).get("events", [{}])
    return bool(events) and "traceback" in events[0]


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict):
        return _object_differences(expected, actual, where)
    name = where.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    if actual is None and name in _EITHER:
        return []
    if isinstance(expected, list):
        if not isinstance(actual, list):
            return [f"{where}: {actual!r} is no list"]
        return [d for item in actual for d in differences(expected[0], item, f"{where}[]")] if expected else []
    if expected == "null":
        return []
    good = isinstance(actual, _TYPES[expected]) and isinstance(actual, bool) == (expected == "boolean")
    return [] if good else [f"{where}: {actual!r} is no {expected}"]


def _object_differences(expected: dict[str, Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, dict):
        return [f"{where}: {actual!r} is no object"]
    if not expected:
        return []
    found = [f"{where}: missing {key}" for key in sorted(set(expected) - set(actual))]
    found += [f"{where}: unexpected {key}" for key in sorted(set(actual) - set(expected))]
    for key in set(expected) & set(actual):
        found += differences(expected[key], actual[key], f"{where}/{key}")
    return found


@pytest.mark.parametrize(("entry", "minor"), _CASES)
def test_reply_is_shaped_like_the_sample(entry: dict[str, Any], minor: int, world: World) -> None:
    name = entry["sample"].rsplit("/", 1)[-1]
    token_id = world.console() if "{console_token}" in entry["path"] else ""
    names = {
        "server_id": world.server,
        "console_token": token_id,
        "request_id": world.request,
        "network_label": "private",
        "key": "foo",
    }
    path = entry["path"].format(**names)
    if name in _QUERIES:
        path += f"?{_QUERIES[name]}"
    if "with-marker" in name:
        path += f"?marker={world.first_action}"
    body: Any = None if entry["method"] == "GET" else _body(name, minor, world)
    if name.endswith("server-create-resp") or "multiple" in name:
        body["server"]["networks"] = [{"uuid": world.network}]
    admin = _is_admins(entry["shape"]) or entry["path"] in _ADMIN_PATHS
    token = "admin:project" if admin else "user:project"
    if path.startswith("/servers/detail") or entry["path"] == "/servers/{server_id}/action":
        world.cloud.until(world.server, "ACTIVE")
    path, _, query = path.partition("?")
    result = world.cloud.client.simulate_request(
        entry["method"],
        f"/v2.1{path}",
        json=body,
        query_string=query or None,
        headers={
            "X-Auth-Token": token,
            "X-Roles": "admin,member,reader" if admin else "member,reader",
            "OpenStack-API-Version": f"compute 2.{minor}",
        },
    )
    assert result.status_code in (200, 202), result.text
    assert differences(entry["shape"], result.json) == []
