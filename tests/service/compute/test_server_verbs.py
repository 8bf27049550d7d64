"""The actions that leave a server on its host, or take it off it and back: over HTTP, down to the fake driver."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.clients.glance.facts import NewImage
from kilonova.hypervisor.contracts import NoGuestAgent
from kilonova.store import operations

ADMIN = "admin:project"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), "host1", "host2") as made:
        made.flavor()
        made.network_api.network("private", "project")
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


def image(cloud: Cloud, **more: Any) -> str:
    facts = {"name": "other", "disk_format": "qcow2", "container_format": "bare", "visibility": "public", **more}
    return cloud.images.add(NewImage(**facts), b"other").id


def host_of(cloud: Cloud, uuid: str) -> str | None:
    found: str | None = cloud.show(uuid, token=ADMIN).json["server"]["OS-EXT-SRV-ATTR:host"]
    return found


def guests(cloud: Cloud, uuid: str) -> list[str]:
    return [name for name, host in cloud.hosts.items() for guest in host.driver.guests() if guest.uuid == uuid]


def rests(cloud: Cloud, uuid: str) -> None:
    wait_for(lambda: cloud.show(uuid).json["server"]["OS-EXT-STS:task_state"] is None)


def test_rebuild_from_another_image(cloud: Cloud) -> None:
    other = image(cloud)
    uuid = cloud.boot(metadata={"a": "b"})["id"]
    host = host_of(cloud, uuid)
    body = {"imageRef": other, "name": "anew", "metadata": {"c": "d"}, "adminPass": "seekrit", "description": None}
    reply = act(cloud, uuid, "rebuild", body)
    document = reply.json["server"]
    assert (document["image"]["id"], document["adminPass"]) == (other, "seekrit")
    assert reply.headers["location"].endswith(uuid)
    server = cloud.until(uuid, "ACTIVE")
    assert (server["image"]["id"], server["name"], server["metadata"]) == (other, "anew", {"c": "d"})
    assert host_of(cloud, uuid) == host
    assert events(cloud, uuid)[0] == ("rebuild", ["conductor_schedule", "compute_rebuild_instance"])


@pytest.mark.parametrize(
    ("version", "body", "words"),
    [
        ("2.104", {}, "imageRef"),
        ("2.104", {"imageRef": "00000000-0000-0000-0000-000000000000"}, "could not be found"),
        ("2.53", {"key_name": "x"}, "key_name"),
        ("2.54", {"key_name": "nobody's"}, "nobody's"),
        ("2.56", {"user_data": "eA=="}, "user_data"),
        ("2.57", {"personality": []}, "personality"),
        ("2.62", {"trusted_image_certificates": None}, "trusted"),
        ("2.89", {"hostname": "h"}, "hostname"),
        ("2.93", {"hostname": "h.example.com"}, "hostname"),
        ("2.18", {"description": "x"}, "description"),
    ],
)
def test_a_rebuild_refuses_what_its_version_does_not_know(
    cloud: Cloud, version: str, body: dict[str, Any], words: str
) -> None:
    uuid = _lasting(cloud)
    whole = body if "imageRef" in body or not body else {"imageRef": cloud.image.id, **body}
    assert words in act(cloud, uuid, "rebuild", whole, status=400, version=version).text


def _lasting(cloud: Cloud) -> str:
    """One server for all that is refused."""
    found = cloud.call("GET", "/servers?name=^lasting$").json["servers"]
    return str(found[0]["id"] if found else cloud.boot("lasting")["id"])


def test_a_rebuild_to_an_image_that_the_flavor_or_the_host_cannot_run_changes_nothing(cloud: Cloud) -> None:
    uuid = _lasting(cloud)
    too_big = image(cloud, min_disk=50)
    assert "smaller than the minimum" in act(cloud, uuid, "rebuild", {"imageRef": too_big}, status=400).text
    foreign = image(cloud, properties={"hw_architecture": "ppc64le", "trait:CUSTOM_NO_SUCH": "required"})
    act(cloud, uuid, "rebuild", {"imageRef": foreign})
    rests(cloud, uuid)
    server = cloud.show(uuid).json["server"]
    assert (server["status"], server["image"]["id"]) == ("ACTIVE", cloud.image.id)
    assert cloud.call("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"][0]["message"] == "Error"


def test_a_stopped_server_is_rebuilt_and_off_again(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    act(cloud, uuid, "os-stop")
    cloud.until(uuid, "SHUTOFF")
    act(cloud, uuid, "rebuild", {"imageRef": cloud.image.id})
    assert cloud.until(uuid, "SHUTOFF")["OS-EXT-STS:power_state"] == 4


def test_rescue(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    act(cloud, uuid, "unrescue", status=409)
    body = {"adminPass": "MySecretPass", "rescue_image_ref": image(cloud)}
    assert act(cloud, uuid, "rescue", body, status=200).json == {"adminPass": "MySecretPass"}
    cloud.until(uuid, "RESCUE")
    act(cloud, uuid, "rescue", status=409)
    act(cloud, uuid, "reboot", {"type": "HARD"}, status=409)
    act(cloud, uuid, "unrescue")
    cloud.until(uuid, "ACTIVE")
    assert len(act(cloud, uuid, "rescue", status=200).json["adminPass"]) == 12
    cloud.until(uuid, "RESCUE")
    assert [name for name, _events in events(cloud, uuid)] == ["rescue", "unrescue", "rescue", "create"]
    act(cloud, uuid, "unrescue")
    cloud.until(uuid, "ACTIVE")
    driver: Any = cloud.hosts[str(host_of(cloud, uuid))].driver
    for configured, chosen in ((image(cloud), None), (image(cloud), image(cloud))):
        driver.own_rescue_image = configured
        act(cloud, uuid, "rescue", {"rescue_image_ref": chosen} if chosen else None, status=200)
        cloud.until(uuid, "RESCUE")
        assert driver.rescued_from(uuid) == (chosen or configured)
        act(cloud, uuid, "unrescue")
        cloud.until(uuid, "ACTIVE")
    driver.own_rescue_image = None
    missing = {"rescue_image_ref": "00000000-0000-0000-0000-000000000000"}
    act(cloud, _lasting(cloud), "rescue", missing, status=400)
    cloud.call("DELETE", f"/servers/{uuid}")
    cloud.until_gone(uuid)


def test_several_ephemeral_disks_and_a_root_volume_that_is_rebuilt_beside_them(cloud: Cloud) -> None:
    cloud.flavor("roomy", ident="roomy", **{"OS-FLV-EXT-DATA:ephemeral": 3})
    root = {"source_type": "image", "uuid": cloud.image.id, "destination_type": "volume", "volume_size": 1}
    local = {"source_type": "blank", "destination_type": "local", "boot_index": -1, "guest_format": "ext4"}
    devices = [{**root, "boot_index": 0}, {**local, "volume_size": 2}, {**local, "volume_size": 1}]
    uuid = cloud.boot("roomy", flavorRef="roomy", imageRef="", block_device_mapping_v2=devices)["id"]
    driver: Any = cloud.hosts[str(host_of(cloud, uuid))].driver
    assert driver.ephemerals(uuid) == (2, 1)
    driver.faults.fail("destroy")
    act(cloud, uuid, "rebuild", {"imageRef": image(cloud), "preserve_ephemeral": True})
    rests(cloud, uuid)
    driver.faults.clear()
    assert cloud.until(uuid, "ACTIVE")["OS-EXT-STS:power_state"] == 1


def test_a_resize_may_stay_on_its_host_where_that_is_allowed(cloud: Cloud) -> None:
    cloud.flavor("larger", ident="larger", vcpus=2)
    allowed = replace(cloud.compute, compute=replace(cloud.compute.compute, allow_resize_to_same_host=True))
    before, uuid = cloud.compute, cloud.boot("stays")["id"]
    there = host_of(cloud, uuid)
    (service,) = [
        s
        for s in cloud.call("GET", "/os-services?binary=nova-compute", token=ADMIN).json["services"]
        if s["host"] != there
    ]
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "disabled"}, token=ADMIN)
    act(cloud, uuid, "resize", {"flavorRef": "larger"})
    rests(cloud, uuid)
    assert cloud.show(uuid).json["server"]["flavor"]["vcpus"] == 1
    cloud.use(allowed)
    act(cloud, uuid, "resize", {"flavorRef": "larger"})
    cloud.until(uuid, "VERIFY_RESIZE")
    assert host_of(cloud, uuid) == there
    cloud.use(before)
    cloud.call("PUT", f"/os-services/{service['id']}", {"status": "enabled"}, token=ADMIN)


def test_shelve_frees_the_host_and_unshelve_finds_another(cloud: Cloud) -> None:
    network = cloud.network_api.rows("networks")[0]["id"]
    uuid = cloud.boot("shelf", networks=[{"uuid": network}])["id"]
    act(cloud, uuid, "unshelve", status=409)
    act(cloud, uuid, "shelve")
    server = cloud.until(uuid, "SHELVED_OFFLOADED")
    (copy,) = [i for i in cloud.images.list(None) if i.name == "shelf-shelved"]
    assert (copy.status, copy.properties["instance_uuid"]) == ("active", uuid)
    assert cloud.resources.allocation(uuid) is None
    assert not guests(cloud, uuid)
    (port,) = cloud.network_api.rows("ports", [("device_id", uuid)])
    assert (port["binding:host_id"], server["addresses"]) != ("", {})
    assert not port["binding:host_id"]
    assert host_of(cloud, uuid) is None
    act(cloud, uuid, "unshelve", {"host": "host2"})
    cloud.until(uuid, "ACTIVE")
    assert (host_of(cloud, uuid), guests(cloud, uuid)) == ("host2", ["host2"])
    (port,) = cloud.network_api.rows("ports", [("device_id", uuid)])
    assert port["binding:host_id"] == "host2"
    assert not [i for i in cloud.images.list(None) if i.name == "shelf-shelved"]
    (unshelved, shelved, _created) = events(cloud, uuid)
    assert shelved[0] == "shelve"
    assert {"compute_shelve_instance", "compute_shelve_offload_instance"} <= set(shelved[1])
    assert unshelved[0] == "unshelve"
    assert "compute_unshelve_instance" in unshelved[1]


@pytest.mark.parametrize(
    ("version", "value", "status"),
    [
        ("2.76", {"availability_zone": "nowhere"}, 202),
        ("2.77", {"availability_zone": "nowhere"}, 400),
        ("2.77", {}, 400),
        ("2.90", {"host": "host1"}, 400),
        ("2.91", {"host": "nohost"}, 400),
        ("2.91", {}, 400),
        ("2.104", {"availability_zone": None}, 202),
    ],
)
def test_where_to_unshelve_is_for_offloaded_servers_and_newer_versions(
    cloud: Cloud, version: str, value: Any, status: int
) -> None:
    found = cloud.call("GET", "/servers?name=^kept$").json["servers"]
    uuid = found[0]["id"] if found else cloud.boot("kept")["id"]
    if cloud.show(uuid).json["server"]["status"] == "ACTIVE":
        act(cloud, uuid, "shelve")
    cloud.until(uuid, "SHELVED_OFFLOADED")
    act(cloud, uuid, "unshelve", value, status=status, version=version)
    if status == 202:
        cloud.until(uuid, "ACTIVE")


def test_only_administrators_choose_the_host(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    act(cloud, uuid, "shelve", token="user:project")
    cloud.until(uuid, "SHELVED_OFFLOADED")
    act(cloud, uuid, "unshelve", {"host": "host1"}, status=403, token="user:project")
    cloud.call("DELETE", f"/servers/{uuid}")
    cloud.until_gone(uuid)
    assert not [i for i in cloud.images.list(None) if i.properties.get("instance_uuid") == uuid]


def test_a_shelf_that_is_never_offloaded(tmp_path: Path) -> None:
    timing = {"host": "host1", "compute_driver": "fake.FakeDriver", "shelved_offload_time": -1}
    with running(tmp_path, DEFAULT=timing) as cloud:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        act(cloud, uuid, "suspend")
        cloud.until(uuid, "SUSPENDED")
        act(cloud, uuid, "shelve")
        cloud.until(uuid, "SHELVED")
        assert guests(cloud, uuid) == ["host1"]
        act(cloud, uuid, "unshelve", {"host": "host1"}, status=409)
        act(cloud, uuid, "unshelve")
        cloud.until(uuid, "ACTIVE")
        act(cloud, uuid, "shelve")
        cloud.until(uuid, "SHELVED")
        act(cloud, uuid, "shelveOffload", token="user:project", status=403)
        act(cloud, uuid, "shelveOffload")
        cloud.until(uuid, "SHELVED_OFFLOADED")
        assert events(cloud, uuid)[0][0] == "shelveOffload"


def test_the_shelf_is_cleared_after_a_while(tmp_path: Path) -> None:
    timing = {"compute_driver": "fake.FakeDriver", "shelved_offload_time": 1, "shelved_poll_interval": 1}
    with running(tmp_path, DEFAULT={"host": "host1", **timing}) as cloud:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        act(cloud, uuid, "shelve")
        cloud.until(uuid, "SHELVED_OFFLOADED")
        assert [name for name, _events in events(cloud, uuid)][:2] == ["shelveOffload", "shelve"]


def test_deleted_for_a_while(tmp_path: Path) -> None:
    timing = {"host": "host1", "compute_driver": "fake.FakeDriver", "reclaim_instance_interval": 600}
    with running(tmp_path, DEFAULT=timing, quota={"instances": 1, "cores": 5, "ram": 5000}) as cloud:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        act(cloud, uuid, "restore", status=409)
        assert cloud.call("DELETE", f"/servers/{uuid}").status_code == 204
        cloud.until(uuid, "SOFT_DELETED")
        assert cloud.call("DELETE", f"/servers/{uuid}").status_code == 204
        assert cloud.call("GET", "/servers").json["servers"] == []
        assert guests(cloud, uuid) == ["host1"]
        other = cloud.boot("other")["id"]
        assert "Quota exceeded" in act(cloud, uuid, "restore", status=403).text
        act(cloud, other, "forceDelete")
        cloud.until_gone(other)
        act(cloud, uuid, "restore")
        cloud.until(uuid, "ACTIVE")
        assert cloud.call("GET", "/limits").json["limits"]["absolute"]["totalInstancesUsed"] == 1
        assert events(cloud, uuid)[:2] == [
            ("restore", ["compute_restore_instance"]),
            ("delete", ["compute_soft_delete_instance", "conductor_quota"]),
        ]
        assert cloud.call("DELETE", f"/servers/{uuid}").status_code == 204
        cloud.until(uuid, "SOFT_DELETED")
        act(cloud, uuid, "forceDelete")
        cloud.until_gone(uuid)
        assert cloud.resources.allocation(uuid) is None


def test_what_nobody_restores_is_reclaimed(tmp_path: Path) -> None:
    timing = {"host": "host1", "compute_driver": "fake.FakeDriver", "reclaim_instance_interval": 1}
    with running(tmp_path, DEFAULT=timing) as cloud:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        assert cloud.call("DELETE", f"/servers/{uuid}").status_code == 204
        cloud.until_gone(uuid)
        assert not guests(cloud, uuid)


def test_backups_rotate(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    other = cloud.boot()["id"]
    made: list[str] = []
    for server, kind in ((uuid, "daily"), (other, "daily"), (uuid, "weekly"), (uuid, "daily"), (uuid, "daily")):
        body = {"name": f"backup {len(made)}", "backup_type": kind, "rotation": 2}
        made.append(act(cloud, server, "createBackup", body).json["image_id"])
        cloud.until(server, "ACTIVE")
    there = {i.id for i in cloud.images.list(None)}
    assert [image_id in there for image_id in made] == [False, True, True, True, True]
    body = {"name": "none", "backup_type": "daily", "rotation": 0}
    assert "location" not in act(cloud, uuid, "createBackup", body, version="2.44").headers
    cloud.until(uuid, "ACTIVE")
    left = [i for i in cloud.images.list(None) if i.properties.get("instance_uuid") == uuid]
    assert {i.properties["backup_type"] for i in left} == {"weekly"}
    assert events(cloud, uuid)[0] == ("createBackup", ["compute_backup_instance", "conductor_rotate"])
    act(cloud, uuid, "createBackup", {"name": "x", "backup_type": "daily", "rotation": -1}, status=400)


def test_the_recorded_state_is_what_an_administrator_says(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    act(cloud, uuid, "os-resetState", {"state": "error"})
    assert cloud.until(uuid, "ERROR")["OS-EXT-STS:vm_state"] == "error"
    act(cloud, uuid, "os-resetState", {"state": "active"})
    assert cloud.show(uuid).json["server"]["status"] == "ACTIVE"
    act(cloud, uuid, "os-resetState", {"state": "stopped"}, status=400)
    act(cloud, uuid, "os-resetState", {"state": "active"}, status=403, token="user:project")


def test_a_hanging_operation_ends_with_the_reset(cloud: Cloud) -> None:
    uuid = cloud.boot("hanging")["id"]
    cloud.hosts[str(host_of(cloud, uuid))].driver.faults.slow("pause", 1.0)
    act(cloud, uuid, "pause")
    act(cloud, uuid, "os-resetState", {"state": "error"})
    wait_for(lambda: _over(cloud, uuid))
    cloud.hosts[str(host_of(cloud, uuid))].driver.faults.clear()
    assert cloud.until(uuid, "ERROR")["OS-EXT-STS:vm_state"] == "error"


def _over(cloud: Cloud, uuid: str) -> bool:
    with cloud.store.home.database.read() as connection:
        return all(row["state"] not in operations.OPEN for row in operations.of_server(connection, uuid))


def test_small_ones(cloud: Cloud) -> None:
    uuid = cloud.boot("small")["id"]
    act(cloud, uuid, "injectNetworkInfo")
    act(cloud, uuid, "resetNetwork", status=410)
    act(cloud, uuid, "trigger_crash_dump", version="2.16", status=404)
    act(cloud, uuid, "trigger_crash_dump", {}, status=400)
    act(cloud, uuid, "trigger_crash_dump")
    wait_for(lambda: events(cloud, uuid)[0] == ("trigger_crash_dump", ["compute_trigger_crash_dump"]))
    act(cloud, uuid, "changePassword", {"adminPass": "foo"})
    assert events(cloud, uuid)[0] == ("changePassword", ["compute_set_admin_password"])
    act(cloud, uuid, "changePassword", {}, status=400)
    act(cloud, uuid, "lock")
    for action, value in (("changePassword", {"adminPass": "foo"}), ("rescue", None), ("shelve", None)):
        act(cloud, uuid, action, value, token="user:project", status=409)
    act(cloud, uuid, "unlock")
    # Clients' schemas list the drivers; the fake one is of the first kind.
    assert cloud.call("GET", f"/servers/{uuid}/diagnostics", token=ADMIN).json["driver"] == "libvirt"
    act(cloud, uuid, "os-stop")
    cloud.until(uuid, "SHUTOFF")
    act(cloud, uuid, "changePassword", {"adminPass": "foo"}, status=409)
    act(cloud, uuid, "trigger_crash_dump", status=409)
    assert cloud.call("GET", f"/servers/{uuid}/diagnostics", token=ADMIN).status_code == 409


def test_a_guest_without_an_agent_keeps_its_password(cloud: Cloud) -> None:
    uuid = cloud.boot("agentless")["id"]
    driver = cloud.hosts[str(host_of(cloud, uuid))].driver
    driver.faults.fail("set_password", prefix="agentless", error=NoGuestAgent(uuid=uuid))
    assert "no guest agent" in act(cloud, uuid, "changePassword", {"adminPass": "x"}, status=409).text
    action = cloud.call("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"][0]
    assert (action["action"], action["message"]) == ("changePassword", "Error")


def test_consoles_are_offered_as_configured(cloud: Cloud) -> None:
    uuid = _lasting(cloud)

    def ask(protocol: str, kind: str, status: int, **how: Any) -> Any:
        body = {"remote_console": {"protocol": protocol, "type": kind}}
        result = cloud.call("POST", f"/servers/{uuid}/remote-consoles", body, **how)
        assert result.status_code == status, result.text
        return result.json

    url = ask("vnc", "novnc", 200)["remote_console"]["url"]
    for protocol, kind in (("serial", "serial"), ("spice", "spice-html5"), ("rdp", "rdp-html5"), ("mks", "webmks")):
        ask(protocol, kind, 400)
    ask("spice", "novnc", 400)
    act(cloud, uuid, "os-getRDPConsole", {"type": "rdp-html5"}, version="2.5", status=400)
    act(cloud, uuid, "os-getRDPConsole", {"type": "rdp-html5"}, version="2.6", status=404)
    act(cloud, uuid, "os-getSerialConsole", {"type": "serial"}, version="2.1", status=400)
    token = url.partition("token%3D")[2]
    path = f"/os-console-auth-tokens/{token}"
    assert cloud.call("GET", path, token=ADMIN, version="2.31").json["console"]["instance_uuid"] == uuid
    assert cloud.call("GET", path, token=ADMIN, version="2.30").status_code == 400
    assert cloud.call("GET", path).status_code == 403
    assert cloud.call("GET", path + "x", token=ADMIN).status_code == 404
