"""What is told to who listens: types, publishers and payloads as the reference release's samples have them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, wait_for

from kilonova.kit.notices import Notice, Recorded

SHAPES = json.loads((Path(__file__).parents[2] / "golden" / "notifications.json").read_text())
KINDS = {dict: "dict", list: "list", str: "str", bool: "bool", int: "int", float: "float", type(None): "null"}


class Listened(Cloud):
    listened = True


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    sections = {"notifications": {"notify_on_state_change": "vm_and_task_state", "bdms_in_notifications": True}}
    cloud = Listened(Path(tmp_path_factory.mktemp("cloud")), **sections)
    cloud.start()
    cloud.flavor()
    yield cloud
    cloud.stop()


def told(cloud: Cloud, wanted: str) -> Notice:
    """The last event of this type, once it is there."""
    notices = cloud.notices
    assert isinstance(notices, Recorded)
    wait_for(lambda: any(n.event_type == wanted for n in notices.sent))
    return [n for n in notices.sent if n.event_type == wanted][-1]


def fits(payload: Mapping[str, Any]) -> None:
    """Name, version, keys and types are the samples'; null is allowed where something may be missing."""
    shape = SHAPES["payloads"][payload["nova_object.name"]]
    assert payload["nova_object.version"] == shape["version"]
    assert payload["nova_object.namespace"] == "nova"
    data = payload["nova_object.data"]
    if payload["nova_object.name"] == "ImageMetaPropsPayload":
        return
    assert set(data) == set(shape["data"]), payload["nova_object.name"]
    for key, value in data.items():
        nested = isinstance(value, dict) and "nova_object.name" in value
        kind = "object" if nested else KINDS[type(value)]
        assert kind in {*shape["data"][key], "null"} or shape["data"][key] == ["null"], key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and "nova_object.name" in inner:
                fits(inner)


def check(cloud: Cloud, event: str) -> dict[str, Any]:
    """The event's data, after all that can be checked of every event."""
    found = told(cloud, event)
    payload, priority, programs = SHAPES["events"][event]
    assert (found.payload["nova_object.name"], found.priority) == (payload, priority)
    assert found.publisher.split(":")[0] in programs
    fits(found.payload)
    data: dict[str, Any] = found.payload["nova_object.data"]
    return data


def act(cloud: Cloud, uuid: str, action: str, arguments: Any = None, **details: Any) -> None:
    result = cloud.call("POST", f"/servers/{uuid}/action", {action: arguments}, **details)
    assert result.status_code in {200, 202, 204}, result.text


def test_a_server_is_created_and_deleted(cloud: Cloud) -> None:
    uuid = cloud.boot("told", tags=["a"], metadata={"k": "v"})["id"]
    start, end = check(cloud, "instance.create.start"), check(cloud, "instance.create.end")
    assert (start["state"], start["host"], start["launched_at"]) == ("building", None, None)
    assert (end["state"], end["power_state"], end["uuid"]) == ("active", "running", uuid)
    assert (end["tags"], end["metadata"], end["tenant_id"]) == (["a"], {"k": "v"}, "project")
    assert end["request_id"].startswith("req-")
    check(cloud, "scheduler.select_destinations.start")
    assert check(cloud, "scheduler.select_destinations.end")["instance_uuid"] == uuid
    assert check(cloud, "instance.update")["uuid"] == uuid
    cloud.call("DELETE", f"/servers/{uuid}")
    check(cloud, "instance.delete.start")
    check(cloud, "instance.shutdown.start")
    check(cloud, "instance.shutdown.end")
    gone = check(cloud, "instance.delete.end")
    assert gone["state"] == "deleted"
    assert gone["deleted_at"] is not None


@pytest.mark.parametrize(
    ("before", "action", "event", "after"),
    [
        ((), "os-stop", "power_off", "SHUTOFF"),
        (("os-stop",), "os-start", "power_on", "ACTIVE"),
        ((), "pause", "pause", "PAUSED"),
        (("pause",), "unpause", "unpause", "ACTIVE"),
        ((), "suspend", "suspend", "SUSPENDED"),
        (("suspend",), "resume", "resume", "ACTIVE"),
        ((), "shelve", "shelve", "SHELVED_OFFLOADED"),
    ],
)
def test_verbs(cloud: Cloud, before: tuple[str, ...], action: str, event: str, after: str) -> None:
    uuid = cloud.boot("acting")["id"]
    for each in before:
        act(cloud, uuid, each)
        wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    act(cloud, uuid, action)
    cloud.until(uuid, after)
    assert check(cloud, f"instance.{event}.start")["uuid"] == uuid
    assert check(cloud, f"instance.{event}.end")["uuid"] == uuid


def test_reboot_rebuild_rescue_and_snapshot(cloud: Cloud) -> None:
    uuid = cloud.boot("more")["id"]
    steps = [
        ("reboot", {"type": "HARD"}, "reboot", "ACTIVE"),
        ("rebuild", {"imageRef": cloud.image.id}, "rebuild", "ACTIVE"),
        ("createImage", {"name": "copy"}, "snapshot", "ACTIVE"),
        ("rescue", {}, "rescue", "RESCUE"),
        ("unrescue", None, "unrescue", "ACTIVE"),
    ]
    for action, arguments, event, status in steps:
        act(cloud, uuid, action, arguments)
        cloud.until(uuid, status)
        assert check(cloud, f"instance.{event}.start")["uuid"] == uuid
        assert check(cloud, f"instance.{event}.end")["uuid"] == uuid


def test_names_tags_and_locks(cloud: Cloud) -> None:
    uuid = cloud.boot("old")["id"]
    cloud.call("PUT", f"/servers/{uuid}", {"server": {"name": "new"}})
    data = check(cloud, "instance.update")
    assert (data["old_display_name"], data["display_name"]) == ("old", "new")
    cloud.call("PUT", f"/servers/{uuid}/tags", {"tags": ["x"]})
    assert check(cloud, "instance.update")["tags"] == ["x"]
    act(cloud, uuid, "lock", {"locked_reason": "why"})
    assert (check(cloud, "instance.lock")["locked_reason"], check(cloud, "instance.lock")["locked"]) == ("why", True)
    act(cloud, uuid, "unlock")
    assert check(cloud, "instance.unlock")["locked"] is False


def test_what_finds_no_host(cloud: Cloud) -> None:
    cloud.flavor("huge", ident="huge", vcpus=4000)
    uuid = cloud.boot("refused", wait=False, flavorRef="huge")["id"]
    task = check(cloud, "compute_task.build_instances.error")
    assert task["instance_uuid"] == uuid
    assert "No valid host" in task["reason"]["nova_object.data"]["exception_message"]
    assert check(cloud, "instance.create.error")["fault"] is not None


def test_resources_of_the_api(cloud: Cloud) -> None:
    admin = {"token": "admin:admin"}
    cloud.flavor("shown", ident="shown")
    assert check(cloud, "flavor.create")["flavorid"] == "shown"
    cloud.call("POST", "/flavors/shown/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}}, **admin)
    assert check(cloud, "flavor.update")["extra_specs"] == {"hw:cpu_policy": "shared"}
    cloud.call("DELETE", "/flavors/shown", **admin)
    assert check(cloud, "flavor.delete")["flavorid"] == "shown"
    cloud.call("POST", "/os-keypairs", {"keypair": {"name": "k"}}, version="2.2")
    assert check(cloud, "keypair.create.start") == check(cloud, "keypair.create.end")
    cloud.call("DELETE", "/os-keypairs/k")
    assert check(cloud, "keypair.delete.end")["name"] == "k"
    group = {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 3}}}
    uuid = cloud.call("POST", "/os-server-groups", group).json["server_group"]["id"]
    assert check(cloud, "server_group.create")["rules"] == {"max_server_per_host": "3"}
    cloud.call("DELETE", f"/os-server-groups/{uuid}")
    assert check(cloud, "server_group.delete")["uuid"] == uuid


def test_aggregates_and_services(cloud: Cloud) -> None:
    admin = {"token": "admin:admin"}
    made = cloud.call("POST", "/os-aggregates", {"aggregate": {"name": "a"}}, **admin).json["aggregate"]
    assert check(cloud, "aggregate.create.end")["uuid"] == made["uuid"]
    path = f"/os-aggregates/{made['id']}"
    cloud.call("PUT", path, {"aggregate": {"name": "b"}}, **admin)
    assert check(cloud, "aggregate.update_prop.start")["name"] == "a"
    assert check(cloud, "aggregate.update_prop.end")["name"] == "b"
    for action, arguments, event in (
        ("set_metadata", {"metadata": {"k": "v"}}, "update_metadata"),
        ("add_host", {"host": "host1"}, "add_host"),
        ("remove_host", {"host": "host1"}, "remove_host"),
    ):
        result = cloud.call("POST", f"{path}/action", {action: arguments}, **admin)
        assert result.status_code == 200, result.text
        check(cloud, f"aggregate.{event}.start")
        check(cloud, f"aggregate.{event}.end")
    cloud.call("DELETE", path, **admin)
    assert check(cloud, "aggregate.delete.end")["uuid"] == made["uuid"]
    (service,) = cloud.call("GET", "/os-services?binary=nova-compute", **admin).json["services"]
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "disabled"}, **admin)
    assert check(cloud, "service.update")["disabled"] is True
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "enabled"}, **admin)


def test_refusals_are_not_told(cloud: Cloud) -> None:
    notices = cloud.notices
    assert isinstance(notices, Recorded)
    before = len(notices.sent)
    assert cloud.call("DELETE", "/os-keypairs/none").status_code == 404
    assert cloud.call("DELETE", "/os-aggregates/4711", token="admin:admin").status_code == 404
    assert cloud.call("POST", "/flavors", {"flavor": {"name": "x", "vcpus": 1, "ram": 1, "disk": 1}}).status_code == 403
    assert len(notices.sent) == before


def test_the_old_form(cloud: Cloud) -> None:
    uuid = cloud.boot("old form")["id"]
    notices = cloud.notices
    assert isinstance(notices, Recorded)
    wait_for(lambda: any(n.payload["instance_id"] == uuid and n.event_type.endswith(".end") for n in notices.old))
    found = [n for n in notices.old if n.payload["instance_id"] == uuid]
    assert [n.event_type for n in found] == ["compute.instance.create.start", "compute.instance.create.end"]
    assert found[-1].payload["state"] == "active"


def test_volumes(cloud: Cloud) -> None:
    uuid = cloud.boot("with volume")["id"]
    volume = cloud.volumes.add().id
    attached = cloud.call("POST", f"/servers/{uuid}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    assert attached.status_code == 202, attached.text
    assert check(cloud, "instance.volume_attach.end")["volume_id"] == volume
    wait_for(lambda: cloud.call("DELETE", f"/servers/{uuid}/os-volume_attachments/{volume}").status_code == 202)
    assert check(cloud, "instance.volume_detach.start")["volume_id"] == volume
    assert check(cloud, "instance.volume_detach.end")["volume_id"] == volume


def test_moves(cloud: Cloud) -> None:
    cloud.add_host("host2")
    cloud.flavor("larger", ident="larger", vcpus=2)
    uuid = cloud.boot("moving")["id"]
    act(cloud, uuid, "resize", {"flavorRef": "larger"})
    cloud.until(uuid, "VERIFY_RESIZE")
    assert check(cloud, "instance.resize_prep.start")["new_flavor"]["nova_object.data"]["name"] == "larger"
    for step in ("resize_prep", "resize", "resize_finish"):
        assert check(cloud, f"instance.{step}.end")["uuid"] == uuid
    act(cloud, uuid, "confirmResize")
    cloud.until(uuid, "ACTIVE")
    check(cloud, "instance.resize_confirm.end")
    act(cloud, uuid, "os-migrateLive", {"host": None, "block_migration": "auto"}, token="admin:admin")
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    for step in ("pre", "post", "post_dest"):
        assert check(cloud, f"instance.live_migration_{step}.end")["uuid"] == uuid
