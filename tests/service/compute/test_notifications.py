"""What is told to who listens: types, publishers and payloads as the reference release's samples have them."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, wait_for
from tests.service.compute.test_keypairs import KEY

from kilonova.hypervisor.contracts import HypervisorUnavailable
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict
from kilonova.kit.notices import Notice, Recorded
from kilonova.operations import usage
from kilonova.store.cell_tables import servers

SHAPES = json.loads((Path(__file__).parents[2] / "golden" / "notifications.json").read_text())
KINDS = {dict: "dict", list: "list", str: "str", bool: "bool", int: "int", float: "float", type(None): "null"}


ADMIN = {"token": "admin:admin"}


class Listened(Cloud):
    listened = True
    earlier = 0  # how many had been sent before this test


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    options = {"instance_usage_audit": True, "volume_usage_poll_interval": 600, "compute_monitors": "cpu.virt_driver"}
    options |= {"reclaim_instance_interval": 3600}
    sections: dict[str, dict[str, Any]] = {
        "manila": {"share_apply_policy_timeout": 0},
        "DEFAULT": {"host": "host1", "compute_driver": "fake.FakeDriver", **options},
        "notifications": {"notify_on_state_change": "vm_and_task_state", "bdms_in_notifications": True},
    }
    cloud = Listened(Path(tmp_path_factory.mktemp("cloud")), **sections)
    cloud.start()
    cloud.flavor()
    yield cloud
    cloud.stop()


@pytest.fixture(autouse=True)
def _of_this_test(cloud: Listened) -> None:
    """A test must not meet an earlier one's event of the type that it waits for."""
    assert isinstance(cloud.notices, Recorded)
    cloud.earlier = len(cloud.notices.sent)


def told(cloud: Cloud, wanted: str, uuid: str | None = None) -> Notice:
    """The last event of this type (of the server) in this test, once it is there."""

    def fitting() -> list[Notice]:
        assert isinstance(cloud, Listened)
        assert isinstance(cloud.notices, Recorded)
        there = [n for n in cloud.notices.sent[cloud.earlier :] if n.event_type == wanted]
        return [n for n in there if uuid in {None, n.payload["nova_object.data"].get("uuid")}]

    wait_for(fitting)
    return fitting()[-1]


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


def check(cloud: Cloud, event: str, uuid: str | None = None) -> dict[str, Any]:
    """The event's data, after all that can be checked of every event."""
    found = told(cloud, event, uuid)
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
    check(cloud, "instance.update", uuid)
    cloud.call("DELETE", f"/servers/{uuid}")
    cloud.until(uuid, "SOFT_DELETED")
    check(cloud, "instance.soft_delete.start", uuid)
    check(cloud, "instance.soft_delete.end", uuid)
    act(cloud, uuid, "restore")
    check(cloud, "instance.restore.start", uuid)
    check(cloud, "instance.restore.end", uuid)
    cloud.until(uuid, "ACTIVE")
    act(cloud, uuid, "forceDelete")
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
        ((), "trigger_crash_dump", "trigger_crash_dump", "ACTIVE"),
        (("shelve",), "unshelve", "unshelve", "ACTIVE"),
        ((), "suspend", "suspend", "SUSPENDED"),
        (("suspend",), "resume", "resume", "ACTIVE"),
        ((), "shelve", "shelve", "SHELVED_OFFLOADED"),
    ],
)
def test_verbs(cloud: Cloud, before: tuple[str, ...], action: str, event: str, after: str) -> None:
    uuid = cloud.boot("acting")["id"]
    for each in before:
        act(cloud, uuid, each, **ADMIN)
        wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    act(cloud, uuid, action, **ADMIN)
    cloud.until(uuid, after)
    check(cloud, f"instance.{event}.start", uuid)
    check(cloud, f"instance.{event}.end", uuid)


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
        check(cloud, f"instance.{event}.start", uuid)
        check(cloud, f"instance.{event}.end", uuid)


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
    cloud.call("POST", "/os-keypairs", {"keypair": {"name": "given", "type": "ssh", "public_key": KEY}})
    assert check(cloud, "keypair.import.start") == check(cloud, "keypair.import.end")
    cloud.call("DELETE", "/os-keypairs/k")
    assert check(cloud, "keypair.delete.end")["name"] == "k"
    group = {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 3}}}
    uuid = cloud.call("POST", "/os-server-groups", group).json["server_group"]["id"]
    assert check(cloud, "server_group.create")["rules"] == {"max_server_per_host": "3"}
    server = {"name": "member", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"group": uuid}}
    member = cloud.call("POST", "/servers", body).json["server"]["id"]
    assert check(cloud, "server_group.add_member")["members"] == [member]
    cloud.until(member, "ACTIVE")
    cloud.call("DELETE", f"/os-server-groups/{uuid}")
    check(cloud, "server_group.delete", uuid)


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
        if action == "add_host":
            assert cloud.call("POST", f"{path}/images", {"cache": [{"id": cloud.image.id}]}, **admin).status_code == 202
            cached = check(cloud, "aggregate.cache_images.progress")
            assert (cached["images_cached"], cached["index"], cached["total"]) == ([cloud.image.id], 1, 1)
    cloud.call("DELETE", path, **admin)
    assert check(cloud, "aggregate.delete.end")["uuid"] == made["uuid"]
    assert cloud.call("DELETE", path, **admin).status_code == 404
    assert check(cloud, "compute.exception")["exception"] == "AggregateNotFound"
    (service,) = cloud.call("GET", "/os-services?binary=nova-compute", **admin).json["services"]
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "disabled"}, **admin)
    assert check(cloud, "service.update")["disabled"] is True
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "enabled"}, **admin)


def test_refusals_are_not_told(cloud: Cloud) -> None:
    notices = cloud.notices
    assert isinstance(notices, Recorded)
    before = len(notices.sent)
    assert cloud.call("DELETE", "/os-keypairs/none").status_code == 404
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
    used = check(cloud, "volume.usage")
    assert (used["volume_id"], used["instance_uuid"], used["reads"]) == (volume, uuid, 0)


def test_moves(cloud: Cloud) -> None:
    cloud.add_host("host2")
    cloud.flavor("larger", ident="larger", vcpus=2)
    uuid = cloud.boot("moving")["id"]
    act(cloud, uuid, "resize", {"flavorRef": "larger"})
    cloud.until(uuid, "VERIFY_RESIZE")
    assert check(cloud, "instance.resize_prep.start")["new_flavor"]["nova_object.data"]["name"] == "larger"
    for step in ("resize_prep", "resize", "resize_finish"):
        check(cloud, f"instance.{step}.end", uuid)
    act(cloud, uuid, "confirmResize")
    cloud.until(uuid, "ACTIVE")
    check(cloud, "instance.resize_confirm.end", uuid)
    act(cloud, uuid, "resize", {"flavorRef": "1"})
    cloud.until(uuid, "VERIFY_RESIZE")
    act(cloud, uuid, "revertResize")
    cloud.until(uuid, "ACTIVE")
    check(cloud, "instance.resize_revert.start", uuid)
    check(cloud, "instance.resize_revert.end", uuid)
    act(cloud, uuid, "os-migrateLive", {"host": None, "block_migration": "auto"}, token="admin:admin")
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    for step in ("pre", "post", "post_dest"):
        check(cloud, f"instance.live_migration_{step}.end", uuid)


def host_of(cloud: Cloud, uuid: str) -> str:
    return str(cloud.show(uuid, **ADMIN).json["server"]["OS-EXT-SRV-ATTR:host"])


@pytest.mark.parametrize("verb", ["live_migration_abort", "live_migration_force_complete"])
def test_a_live_migration_that_is_called_off_or_hurried(cloud: Cloud, verb: str) -> None:
    if "host2" not in cloud.hosts:
        cloud.add_host("host2")
    uuid = cloud.boot("asked")["id"]
    source = host_of(cloud, uuid)
    driver: Any = cloud.hosts[source].driver
    driver.faults.slow("tick", 0.05)
    act(cloud, uuid, "os-migrateLive", {"host": None, "block_migration": "auto"}, **ADMIN)
    path = f"/servers/{uuid}/migrations"
    wait_for(lambda: any(m["status"] == "running" for m in cloud.call("GET", path, **ADMIN).json["migrations"]))
    one = f"{path}/{cloud.call('GET', path, **ADMIN).json['migrations'][0]['id']}"
    if verb == "live_migration_abort":
        assert cloud.call("DELETE", one, **ADMIN).status_code == 202
    else:
        assert cloud.call("POST", f"{one}/action", {"force_complete": None}, **ADMIN).status_code == 202
    check(cloud, f"instance.{verb}.start", uuid)
    assert check(cloud, f"instance.{verb}.end")["host"] == source
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    driver.faults.clear()
    if verb == "live_migration_abort":
        for name in ("rollback", "rollback_dest"):
            check(cloud, f"instance.live_migration_{name}.start", uuid)
            check(cloud, f"instance.live_migration_{name}.end", uuid)
        assert "aborted" in check(cloud, "compute.exception")["exception_message"]


def test_what_hosts_tell_of_themselves(cloud: Cloud) -> None:
    host = cloud.add_host("host3")
    wait_for(lambda: check(cloud, "service.create")["host"] == "host3")
    measured = check(cloud, "metrics.update")["metrics"]
    values = {entry["nova_object.data"]["name"]: entry["nova_object.data"]["value"] for entry in measured}
    assert 0 <= values["cpu.percent"] <= 100
    assert values["cpu.idle.time"] > 0
    host.driver.faults.fail("nodes", times=1, unavailable=True)
    with pytest.raises(HypervisorUnavailable):
        host.reporter.resources()
    found = check(cloud, "libvirt.connect.error")
    assert (found["ip"], found["reason"]["nova_object.data"]["exception"]) == ("127.0.0.1", "HypervisorUnavailable")
    host.stop()
    (service,) = cloud.call("GET", "/os-services?binary=nova-compute&host=host3", **ADMIN).json["services"]
    assert cloud.call("DELETE", f"/os-services/{service['id']}", **ADMIN).status_code == 204
    assert check(cloud, "service.delete")["host"] == "host3"


def test_a_lost_host_is_left(cloud: Cloud) -> None:
    uuid = cloud.boot("left")["id"]
    lost = host_of(cloud, uuid)
    (service,) = cloud.call("GET", f"/os-services?binary=nova-compute&host={lost}", **ADMIN).json["services"]
    cloud.call("PUT", f"/os-services/{service['id']}", {"forced_down": True}, **ADMIN)
    act(cloud, uuid, "evacuate", {}, **ADMIN)
    check(cloud, "instance.evacuate", uuid)
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    check(cloud, "instance.rebuild_scheduled", uuid)
    check(cloud, "instance.exists", uuid)
    cloud.call("PUT", f"/os-services/{service['id']}", {"forced_down": False}, **ADMIN)


def test_devices_come_and_go(cloud: Cloud) -> None:
    network = cloud.network_api.network("private", "project")
    uuid = cloud.boot("devices", networks=[{"uuid": network}])["id"]
    ports = f"/servers/{uuid}/os-interface"
    port = cloud.call("POST", ports, {"interfaceAttachment": {"net_id": network}}).json["interfaceAttachment"][
        "port_id"
    ]
    cloud.call("DELETE", f"{ports}/{port}")
    check(cloud, "instance.interface_detach.end")
    volumes = f"/servers/{uuid}/os-volume_attachments"
    old, new = cloud.volumes.add().id, cloud.volumes.add().id
    cloud.call("POST", volumes, {"volumeAttachment": {"volumeId": old}})
    check(cloud, "instance.volume_attach.end")
    body = {"volumeAttachment": {"volumeId": new}}
    wait_for(lambda: cloud.call("PUT", f"{volumes}/{old}", body, **ADMIN).status_code == 202)
    swapped = check(cloud, "instance.volume_swap.end")
    assert (swapped["old_volume_id"], swapped["new_volume_id"]) == (old, new)
    act(cloud, uuid, "os-stop")
    cloud.until(uuid, "SHUTOFF")
    share = cloud.shares.add()
    cloud.call("POST", f"/servers/{uuid}/shares", {"share": {"share_id": share.id}})
    assert check(cloud, "instance.share_attach.end")["share_id"] == share.id

    def refuse(call: str, _share: str) -> None:
        raise Conflict(f"{call}: not now")

    usual, cloud.shares.interfere = cloud.shares.interfere, refuse
    cloud.call("DELETE", f"/servers/{uuid}/shares/{share.id}")
    assert check(cloud, "instance.share_detach.error", uuid)["share_id"] == share.id
    cloud.shares.interfere = usual
    cloud.call("DELETE", f"/servers/{uuid}/shares/{share.id}")
    assert check(cloud, "instance.share_detach.end")["share_id"] == share.id
    cloud.shares.new_state = "error"
    cloud.call("POST", f"/servers/{uuid}/shares", {"share": {"share_id": share.id}})
    assert check(cloud, "instance.share_attach.error", uuid)["share_id"] == share.id


def test_what_fails_says_so(cloud: Cloud) -> None:
    network = cloud.network_api.network("private2", "project")
    uuid = cloud.boot("failing", networks=[{"uuid": network}])["id"]
    driver: Any = cloud.hosts[host_of(cloud, uuid)].driver
    volumes, volume = f"/servers/{uuid}/os-volume_attachments", cloud.volumes.add().id
    attached = {"volumeAttachment": {"volumeId": volume}}
    cloud.call("POST", volumes, attached)
    check(cloud, "instance.volume_attach.end", uuid)
    other = {"volumeAttachment": {"volumeId": cloud.volumes.add().id}}
    action = f"/servers/{uuid}/action"
    calls: list[tuple[str, str, str, str, Any]] = [
        (
            "attach_nic",
            "interface_attach",
            "POST",
            f"/servers/{uuid}/os-interface",
            {"interfaceAttachment": {"net_id": network}},
        ),
        ("attach_volume", "volume_attach", "POST", volumes, other),
        ("swap_volume", "volume_swap", "PUT", f"{volumes}/{volume}", other),
        ("give", "resize", "POST", action, {"resize": {"flavorRef": "larger"}}),
        ("reboot", "reboot", "POST", action, {"reboot": {"type": "HARD"}}),
        ("rebuild", "rebuild", "POST", action, {"rebuild": {"imageRef": cloud.image.id}}),
    ]
    for call, event, method, path, body in calls:
        driver.faults.fail(call)
        wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
        result = cloud.call(method, path, body, **ADMIN)
        assert result.status_code in {200, 202, 500}, result.text
        assert check(cloud, f"instance.{event}.error", uuid)["fault"] is not None
        driver.faults.clear()
        act(cloud, uuid, "os-resetState", {"state": "active"}, **ADMIN)


def test_every_move_may_find_no_host(cloud: Cloud) -> None:
    uuid = cloud.boot("stays")["id"]
    cloud.flavor("much larger", ident="much larger", vcpus=900)
    act(cloud, uuid, "resize", {"flavorRef": "much larger"})
    assert check(cloud, "compute_task.migrate_server.error")["instance_uuid"] == uuid
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)
    services = cloud.call("GET", "/os-services?binary=nova-compute", **ADMIN).json["services"]
    for service in services:
        cloud.call("PUT", f"/os-services/{service['id']}", {"forced_down": True}, **ADMIN)
    act(cloud, uuid, "evacuate", {}, **ADMIN)
    assert check(cloud, "compute_task.rebuild_server.error")["instance_uuid"] == uuid
    for service in services:
        cloud.call("PUT", f"/os-services/{service['id']}", {"forced_down": False}, **ADMIN)


def test_usage_of_a_period_is_told_once(cloud: Cloud) -> None:
    now = cloud.tools.clock.now()
    cloud.boot("of this hour")
    with cloud.store.home.database.write() as connection:
        hour_ago = stamp(now - timedelta(hours=1))
        connection.execute(servers.update().where(servers.c.host.is_not(None)).values(launched_at=hour_ago))
    notices = cloud.notices
    assert isinstance(notices, Recorded)

    def told_of(host: str) -> int:
        usage.audit(cloud.tools, cloud.store.home, host, "hour")
        return sum(n.publisher == f"nova-compute:{host}" for n in notices.sent if n.event_type == "instance.exists")

    once = [told_of(host) for host in cloud.hosts]
    assert sum(once) > 0
    assert [told_of(host) for host in cloud.hosts] == once
    period = check(cloud, "instance.exists")["audit_period"]["nova_object.data"]
    assert period["audit_period_ending"] == f"{now.isoformat()[:13]}:00:00Z"


def test_every_type_was_told_and_fits(cloud: Cloud) -> None:
    """The last of this file: all that was sent by the tests before it."""
    notices = cloud.notices
    assert isinstance(notices, Recorded)
    for notice in notices.sent:
        fits(notice.payload)
    missing = sorted(set(SHAPES["events"]) - {n.event_type for n in notices.sent})
    assert not missing, missing
