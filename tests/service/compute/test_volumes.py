"""Servers with volumes: built from them, given and rid of them, over HTTP with the fake volume service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.clients.cinder.contract import VolumeLimitExceeded, VolumeNotFound
from kilonova.clients.cinder.facts import Volume
from kilonova.clients.glance.facts import NewImage
from kilonova.kit import codec
from kilonova.store import block_devices

NOTHING = "7a1e6f62-3c44-4c6c-b84b-0d5d3df0e0aa"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(Path(tmp_path_factory.mktemp("volumes"))) as made:
        made.flavor()
        yield made


def from_image(cloud: Cloud, **more: Any) -> dict[str, Any]:
    """A device made from the image."""
    source = {"source_type": "image", "uuid": cloud.image.id, "destination_type": "volume", "volume_size": 1}
    return {**source, "boot_index": 0, **more}


def given(volume: Volume, **more: Any) -> dict[str, Any]:
    return {"source_type": "volume", "destination_type": "volume", "uuid": volume.id, **more}


def create(cloud: Cloud, version: str = "2.104", **values: Any) -> Any:
    server = {"name": "vol", "flavorRef": "1", "networks": "none", **values}
    if int(version.split(".")[1]) < 37:
        server.pop("networks")
    return cloud.call("POST", "/servers", {"server": server}, version=version)


def booted(cloud: Cloud, **values: Any) -> dict[str, Any]:
    result = create(cloud, **values)
    assert result.status_code == 202, result.text
    return cloud.until(result.json["server"]["id"], "ACTIVE")


def guest_volumes(cloud: Cloud, server: str) -> set[str]:
    return set(cloud.hosts["host1"].driver.volumes(server))


def attach(cloud: Cloud, server: str, volume: str, version: str = "2.104", **more: Any) -> Any:
    path = f"/servers/{server}/os-volume_attachments"
    return cloud.call("POST", path, {"volumeAttachment": {"volumeId": volume, **more}}, version=version)


def attachments(cloud: Cloud, server: str, version: str = "2.104") -> list[dict[str, Any]]:
    result = cloud.call("GET", f"/servers/{server}/os-volume_attachments", version=version)
    assert result.status_code == 200
    found: list[dict[str, Any]] = result.json["volumeAttachments"]
    return found


def detach(cloud: Cloud, server: str, volume: str) -> Any:
    return cloud.call("DELETE", f"/servers/{server}/os-volume_attachments/{volume}")


def status(cloud: Cloud, volume: str) -> str:
    return cloud.volumes.get(None, volume).status


def test_a_server_boots_from_an_image_on_a_volume(cloud: Cloud) -> None:
    other = cloud.volumes.add()
    devices = [from_image(cloud, delete_on_termination=True), given(other), {"source_type": "blank", **BLANK}]
    server = booted(cloud, block_device_mapping_v2=devices)

    assert server["image"] == ""
    root, second, blank = (v["id"] for v in server["os-extended-volumes:volumes_attached"])
    assert second == other.id
    assert [status(cloud, v) for v in (root, second, blank)] == ["in-use"] * 3
    assert guest_volumes(cloud, server["id"]) == {root, second, blank}
    assert cloud.volumes.get(None, root).project_id == "project"
    assert [a["device"] for a in attachments(cloud, server["id"])] == ["/dev/vda", "/dev/vdb", "/dev/vdc"]

    assert detach(cloud, server["id"], root).status_code == 403
    cloud.call("DELETE", f"/servers/{server['id']}")
    cloud.until_gone(server["id"])
    assert [status(cloud, v) for v in (second, blank)] == ["available"] * 2
    with pytest.raises(VolumeNotFound):
        cloud.volumes.get(None, root)
    assert cloud.volumes.attachments(server["id"]) == ()


BLANK = {"destination_type": "volume", "volume_size": 2, "boot_index": -1}


def test_a_volume_to_boot_from_wins_over_the_image(cloud: Cloud) -> None:
    """openstacksdk's own suite asks so, with a volume that is not even bootable."""
    volume = cloud.volumes.add()
    server = booted(cloud, imageRef=cloud.image.id, block_device_mapping_v2=[given(volume, boot_index=0)])
    assert server["image"] == ""
    assert [(a["volumeId"], a["device"]) for a in attachments(cloud, server["id"])] == [(volume.id, "/dev/vda")]


def test_volumes_attached_by_version(cloud: Cloud) -> None:
    volume = cloud.volumes.add(bootable=True)
    server = booted(cloud, block_device_mapping_v2=[given(volume, boot_index=0)])

    key = "os-extended-volumes:volumes_attached"
    assert cloud.show(server["id"], version="2.2").json["server"][key] == [{"id": volume.id}]
    assert server[key] == [{"id": volume.id, "delete_on_termination": False}]


def test_a_snapshot_and_the_mapping_before_v2(cloud: Cloud) -> None:
    volume = cloud.volumes.add(bootable=True, image_metadata={"hw_disk_bus": "scsi", "image_id": "x"})
    snapshot = cloud.volumes.create_snapshot(None, volume.id, "snap")
    mapping = [{"device_name": "vda", "snapshot_id": snapshot.id, "delete_on_termination": "1"}]
    server = booted(cloud, imageRef="", block_device_mapping=mapping)

    (made,) = server["os-extended-volumes:volumes_attached"]
    assert made["delete_on_termination"] is True
    assert cloud.volumes.get(None, made["id"]).snapshot_id == snapshot.id
    assert cloud.show(server["id"]).json["server"]["image"] == ""


@pytest.mark.parametrize("stock", [False, True], ids=["plain", "openstackclient"])
def test_an_image_may_name_devices_of_its_own(cloud: Cloud, stock: bool) -> None:
    """The stock command line names the image twice: as ``imageRef`` and as a local root disk."""
    snapshot = cloud.volumes.create_snapshot(None, cloud.volumes.add(bootable=True).id, "snap")
    text = (
        f'[{{"source_type": "snapshot", "destination_type": "volume", "snapshot_id": "{snapshot.id}", '
        '"boot_index": 0, "device_name": "/dev/vda", "delete_on_termination": true, "no_device": null}]'
    )
    properties = {"block_device_mapping": text, "bdm_v2": "True", "root_device_name": "/dev/vda"}
    image = cloud.images.add(NewImage(name="of volumes", visibility="public", properties=properties))

    local = {"uuid": image.id, "source_type": "image", "destination_type": "local", "boot_index": 0}
    server = booted(cloud, imageRef=image.id, **({"block_device_mapping_v2": [local]} if stock else {}))

    assert server["image"] == ""
    assert len(server["os-extended-volumes:volumes_attached"]) == 1
    broken = cloud.images.add(NewImage(name="b", visibility="public", properties={"block_device_mapping": "[1]"}))
    assert create(cloud, imageRef=broken.id).status_code == 400


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([{"source_type": "volume", "uuid": NOTHING, "boot_index": 0}], "failed to get volume"),
        ([{"source_type": "snapshot", "uuid": NOTHING, "boot_index": 0}], "failed to get snapshot"),
        ([{"source_type": "image", "uuid": NOTHING, "boot_index": 0, "volume_size": 1}], "could not be found"),
        ([{"source_type": "blank", "destination_type": "volume", "boot_index": 0}], "Blank volumes"),
        ([{"source_type": "blank", **BLANK, "boot_index": 0, "volume_type": "nothing"}], "Volume type"),
        ([{"source_type": "blank", **BLANK}], "Boot sequence"),
        ([], "imageRef"),
    ],
)
def test_devices_that_cannot_be(cloud: Cloud, devices: list[dict[str, Any]], words: str) -> None:
    result = create(cloud, block_device_mapping_v2=devices)
    assert (result.status_code, words in result.text) == (400, True), result.text


def test_volumes_that_cannot_be_used(cloud: Cloud) -> None:
    plain, busy = cloud.volumes.add(), cloud.volumes.add(status="error", bootable=True)
    shared = cloud.volumes.add(multiattach=True, bootable=True)
    for version, volume in (("2.104", plain), ("2.104", busy), ("2.59", shared)):
        devices = [given(volume, boot_index=0)]
        assert create(cloud, version, block_device_mapping_v2=devices).status_code == 400
    both: dict[str, Any] = {"block_device_mapping": [], "block_device_mapping_v2": []}
    assert create(cloud, imageRef=cloud.image.id, **both).status_code == 400


def test_what_never_becomes_available_fails_the_server(cloud: Cloud) -> None:
    cloud.volumes.made_status = "error"
    try:
        result = create(cloud, block_device_mapping_v2=[from_image(cloud)])
        uuid = result.json["server"]["id"]
        server = cloud.until(uuid, "ERROR")
    finally:
        cloud.volumes.made_status = "available"
    assert "did not become available" in server["fault"]["message"]
    assert server["os-extended-volumes:volumes_attached"] == []
    assert not [v for v in cloud.volumes.list(None) if v.status == "error" and v.metadata]


def test_attach_show_and_detach(cloud: Cloud) -> None:
    server = cloud.boot()["id"]
    one, two = cloud.volumes.add(), cloud.volumes.add()

    first = attach(cloud, server, one.id, "2.79", tag="data", delete_on_termination=True)
    assert first.status_code == 200
    assert first.json["volumeAttachment"] == {
        "id": one.id,
        "volumeId": one.id,
        "serverId": server,
        "device": "/dev/vdb",
        "tag": "data",
        "delete_on_termination": True,
    }
    second = attach(cloud, server, two.id, device="/dev/vdd")
    assert (second.status_code, second.content) == (202, b"")
    wait_for(lambda: status(cloud, two.id) == "in-use")
    assert guest_volumes(cloud, server) == {one.id, two.id}

    plain, full = attachments(cloud, server, "2.1")[0], attachments(cloud, server)[1]
    assert plain == {"id": one.id, "volumeId": one.id, "serverId": server, "device": "/dev/vdb"}
    assert set(full) == {
        "attachment_id",
        "bdm_uuid",
        "delete_on_termination",
        "device",
        "serverId",
        "tag",
        "volumeId",
    }
    assert full["attachment_id"] == cloud.volumes.get(None, two.id).uses[0].attachment_id
    path = f"/servers/{server}/os-volume_attachments"
    assert cloud.call("GET", f"{path}/{two.id}").json["volumeAttachment"] == full
    assert len(cloud.call("GET", f"{path}?limit=1&offset=1").json["volumeAttachments"]) == 1

    assert detach(cloud, server, two.id).status_code == 202
    wait_for(lambda: status(cloud, two.id) == "available")
    wait_for(lambda: len(attachments(cloud, server)) == 1)
    assert guest_volumes(cloud, server) == {one.id}
    assert detach(cloud, server, two.id).status_code == 404
    assert cloud.call("GET", f"{path}/{two.id}").status_code == 404
    actions = cloud.call("GET", f"/servers/{server}/os-instance-actions").json["instanceActions"]
    assert [a["action"] for a in actions[:3]] == ["detach_volume", "attach_volume", "attach_volume"]


def test_attaching_is_refused(cloud: Cloud) -> None:
    server, other = cloud.boot()["id"], cloud.boot()["id"]
    volume, shared = cloud.volumes.add(), cloud.volumes.add(multiattach=True)
    foreign = cloud.volumes.add(project_id="somebody else's")

    assert attach(cloud, server, volume.id).status_code == 202
    again = attach(cloud, server, volume.id)
    assert (again.status_code, "already attached" in again.text) == (400, True)
    assert attach(cloud, other, volume.id).status_code == 400
    assert attach(cloud, server, NOTHING).status_code == 404
    assert attach(cloud, server, foreign.id).status_code == 404
    assert attach(cloud, server, shared.id, "2.59").status_code == 400
    assert attach(cloud, server, shared.id, device="/dev/vdb").status_code == 409
    assert attach(cloud, server, shared.id, device="vdb").status_code == 400
    assert attach(cloud, server, shared.id, "2.48", tag="x").status_code == 400
    assert attach(cloud, NOTHING, shared.id).status_code == 404
    for one in (server, other):
        assert attach(cloud, one, shared.id).status_code == 202
    wait_for(lambda: len(cloud.volumes.get(None, shared.id).uses) == 2)


def test_what_cinder_refuses_leaves_no_trace(cloud: Cloud) -> None:
    server, volume = cloud.boot()["id"], cloud.volumes.add()

    def refuse(call: str, _ident: str) -> None:
        if call == "connect":
            raise ValueError("no export today")

    cloud.volumes.interfere = refuse
    try:
        assert attach(cloud, server, volume.id).status_code == 202
        wait_for(lambda: attachments(cloud, server) == [])
    finally:
        cloud.volumes.interfere = lambda _call, _ident: None
    wait_for(lambda: status(cloud, volume.id) == "available")
    assert cloud.show(server).json["server"]["status"] == "ACTIVE"


def put(cloud: Cloud, server: str, volume: str, version: str = "2.104", token: str = "admin:admin", **body: Any) -> Any:
    path = f"/servers/{server}/os-volume_attachments/{volume}"
    return cloud.call("PUT", path, {"volumeAttachment": body}, version=version, token=token)


def test_the_flag_and_the_swap(cloud: Cloud) -> None:
    server = cloud.boot()["id"]
    old, new, small = cloud.volumes.add(2), cloud.volumes.add(2), cloud.volumes.add(1)
    attach(cloud, server, old.id)
    wait_for(lambda: status(cloud, old.id) == "in-use")

    flag: dict[str, Any] = {"volumeId": old.id, "delete_on_termination": True}
    assert put(cloud, server, old.id, token="user:project", **flag, device="/dev/vdb", tag=None).status_code == 202
    assert attachments(cloud, server)[0]["delete_on_termination"] is True
    assert put(cloud, server, old.id, **flag, device="/dev/vdc").status_code == 400
    assert put(cloud, server, old.id, "2.84", **flag).status_code == 400
    assert put(cloud, server, new.id, **{**flag, "volumeId": new.id}).status_code == 404

    assert put(cloud, server, old.id, token="user:project", volumeId=new.id).status_code == 403
    assert put(cloud, server, old.id, volumeId=NOTHING).status_code == 400
    assert put(cloud, server, NOTHING, volumeId=new.id).status_code == 404
    assert put(cloud, server, old.id, volumeId=small.id).status_code == 400
    assert put(cloud, server, old.id, volumeId=new.id).status_code == 202
    wait_for(lambda: status(cloud, old.id) == "available")
    wait_for(lambda: attachments(cloud, server)[0]["volumeId"] == new.id)
    assert (status(cloud, new.id), guest_volumes(cloud, server)) == ("in-use", {new.id})
    assert cloud.volumes.reported == [(old.id, new.id)]


def test_a_stopped_server_keeps_its_volumes(cloud: Cloud) -> None:
    server, volume = cloud.boot()["id"], cloud.volumes.add()
    cloud.call("POST", f"/servers/{server}/action", {"os-stop": None})
    cloud.until(server, "SHUTOFF")

    assert attach(cloud, server, volume.id).status_code == 202
    wait_for(lambda: status(cloud, volume.id) == "in-use")
    cloud.call("POST", f"/servers/{server}/action", {"os-start": None})
    cloud.until(server, "ACTIVE")
    assert guest_volumes(cloud, server) == {volume.id}
    cloud.call("POST", f"/servers/{server}/action", {"pause": None})
    cloud.until(server, "PAUSED")
    assert detach(cloud, server, volume.id).status_code == 202
    wait_for(lambda: status(cloud, volume.id) == "available")
    cloud.call("DELETE", f"/servers/{server}")


def act(cloud: Cloud, server: str, action: str, value: Any, version: str = "2.104") -> int:
    token = "admin:project"
    result = cloud.call("POST", f"/servers/{server}/action", {action: value}, version=version, token=token)
    return result.status_code


def test_a_root_volume_is_rebuilt_by_the_volume_service(cloud: Cloud) -> None:
    server = booted(cloud, block_device_mapping_v2=[from_image(cloud, delete_on_termination=True)])["id"]
    (volume,) = guest_volumes(cloud, server)
    cloud.volumes.set(volume, image_metadata={"image_id": cloud.image.id})
    new = NewImage(name="other", disk_format="raw", container_format="bare", visibility="public")
    other = cloud.images.add(new, b"other").id
    assert act(cloud, server, "rebuild", {"imageRef": other}, "2.92") == 400
    assert act(cloud, server, "rebuild", {"imageRef": cloud.image.id}, "2.92") == 202
    cloud.until(server, "ACTIVE")
    assert act(cloud, server, "rebuild", {"imageRef": other}) == 202
    assert cloud.until(server, "ACTIVE")["image"] == ""
    assert cloud.volumes.get(None, volume).image_metadata["image_id"] == other
    assert (status(cloud, volume), guest_volumes(cloud, server)) == ("in-use", {volume})


def test_a_server_on_a_volume_is_rescued_with_stable_devices_only(cloud: Cloud) -> None:
    server = booted(cloud, block_device_mapping_v2=[from_image(cloud, delete_on_termination=True)])["id"]
    new = NewImage(
        name="rescue",
        disk_format="raw",
        container_format="bare",
        visibility="public",
        properties={"hw_rescue_bus": "usb"},
    )
    stable = cloud.images.add(new, b"rescue").id
    assert act(cloud, server, "rescue", {"rescue_image_ref": stable}, "2.86") == 400
    assert act(cloud, server, "rescue", {"rescue_image_ref": cloud.image.id}) == 400
    assert act(cloud, server, "rescue", None) == 400
    assert act(cloud, server, "rescue", {"rescue_image_ref": stable}) == 200
    cloud.until(server, "RESCUE")
    assert act(cloud, server, "unrescue", None) == 202
    cloud.until(server, "ACTIVE")


def test_a_server_on_a_volume_keeps_it_on_the_shelf(cloud: Cloud) -> None:
    server = booted(cloud, block_device_mapping_v2=[from_image(cloud, delete_on_termination=True)])["id"]
    (volume,) = guest_volumes(cloud, server)
    assert act(cloud, server, "shelve", None) == 202
    cloud.until(server, "SHELVED_OFFLOADED")
    assert status(cloud, volume) == "in-use"
    assert not [i for i in cloud.images.list(None) if i.properties.get("instance_uuid") == server]
    assert act(cloud, server, "unshelve", None) == 202
    cloud.until(server, "ACTIVE")
    assert guest_volumes(cloud, server) == {volume}


def test_an_image_of_a_volume_backed_server_starts_others(cloud: Cloud) -> None:
    server = booted(cloud, block_device_mapping_v2=[from_image(cloud)])["id"]

    made = cloud.call("POST", f"/servers/{server}/action", {"createImage": {"name": "copy"}})
    assert made.status_code == 202, made.text
    image = cloud.images.get(None, made.json["image_id"])
    assert (image.status, image.size) == ("active", 0)
    (entry,) = codec.loads(image.properties["block_device_mapping"])
    snapshot = cloud.volumes.snapshot(None, entry["snapshot_id"])
    assert snapshot.name == "snapshot for copy"

    second = booted(cloud, imageRef=image.id)
    (volume,) = second["os-extended-volumes:volumes_attached"]
    assert cloud.volumes.get(None, volume["id"]).snapshot_id == snapshot.id

    before = len(cloud.volumes.snapshots(None))
    cloud.volumes.interfere = lambda call, _id: full() if call == "create_snapshot" else None
    try:
        refused = cloud.call("POST", f"/servers/{server}/action", {"createImage": {"name": "more"}})
    finally:
        cloud.volumes.interfere = lambda _call, _ident: None
    assert (refused.status_code, len(cloud.volumes.snapshots(None))) == (403, before)


def full() -> None:
    raise VolumeLimitExceeded(reason="snapshots")


def test_a_grown_volume_is_told_to_the_guest(cloud: Cloud) -> None:
    server, volume = cloud.boot()["id"], cloud.volumes.add(1)
    attach(cloud, server, volume.id)
    wait_for(lambda: status(cloud, volume.id) == "in-use")
    cloud.volumes.set(volume.id, size=3)

    def told(**event: Any) -> int:
        body = {"events": [{"name": "volume-extended", "server_uuid": server, **event}]}
        return int(cloud.call("POST", "/os-server-external-events", body, token="admin:admin").status_code)

    assert told(tag=volume.id) == 200
    assert told() == 207
    driver: Any = cloud.hosts["host1"].driver
    wait_for(lambda: driver.volumes(server)[volume.id] == 3)


def test_volumes_come_along_to_the_shelf_and_back(cloud: Cloud) -> None:
    server, volume = cloud.boot()["id"], cloud.volumes.add()
    attach(cloud, server, volume.id)
    wait_for(lambda: status(cloud, volume.id) == "in-use")
    cloud.call("POST", f"/servers/{server}/action", {"shelve": None})
    cloud.until(server, "SHELVED_OFFLOADED")
    (kept,) = cloud.volumes.attachments(server)
    assert cloud.volumes.attachment(kept.id).connection_info == {}

    late = cloud.volumes.add()
    assert attach(cloud, server, late.id, "2.19").status_code == 409
    assert attach(cloud, server, late.id, tag="x").status_code == 400
    assert attach(cloud, server, late.id).status_code == 202
    wait_for(lambda: status(cloud, late.id) == "in-use")
    cloud.call("POST", f"/servers/{server}/action", {"unshelve": None})
    cloud.until(server, "ACTIVE")
    assert guest_volumes(cloud, server) == {volume.id, late.id}
    assert [a.status for a in cloud.volumes.attachments(server)] == ["attached"] * 2


def test_the_volume_service_has_hosts_make_snapshots(cloud: Cloud) -> None:
    """It asks, is answered at once, and hears later how it went."""
    server, volume, snapshot = cloud.boot()["id"], cloud.volumes.add(), NOTHING
    attach(cloud, server, volume.id)
    wait_for(lambda: status(cloud, volume.id) == "in-use")
    info = {"snapshot_id": snapshot, "type": "qcow2", "new_file": "overlay", "id": snapshot}

    def asked(volume_id: str, **changes: Any) -> Any:
        body = {"snapshot": {"volume_id": volume_id, "create_info": {**info, **changes}}}
        return cloud.call("POST", "/os-assisted-volume-snapshots", body, token="admin:admin")

    def removed(**files: Any) -> int:
        query = urlencode({"delete_info": codec.text(files)})
        path = f"/os-assisted-volume-snapshots/{snapshot}?{query}"
        return int(cloud.call("DELETE", path, token="admin:admin").status_code)

    answer = asked(volume.id)
    assert answer.json == {"snapshot": {"id": snapshot, "volumeId": volume.id}}
    wait_for(lambda: (snapshot, "creating 90%") in cloud.volumes.reported)
    (device,) = devices(cloud, server)
    assert device.connection_info["data"]["device_path"] == "overlay"
    assert removed(volume_id=volume.id, file_to_merge="overlay", merge_target_file="base") == 204
    wait_for(lambda: (snapshot, "deleting 90%") in cloud.volumes.reported)

    cloud.call("POST", f"/servers/{server}/action", {"os-stop": None})
    cloud.until(server, "SHUTOFF")
    assert asked(volume.id).status_code == 200
    wait_for(lambda: (snapshot, "error") in cloud.volumes.reported)
    assert removed(volume_id=volume.id) == 204
    wait_for(lambda: (snapshot, "error_deleting") in cloud.volumes.reported)

    wrong: list[dict[str, Any]] = [
        {"type": "raw"},
        {"new_file": "../x"},
        {"new_file": ""},
        {"more": 1},
        {"snapshot_id": "x"},
    ]
    assert [asked(volume.id, **each).status_code for each in wrong] == [400] * len(wrong)
    assert asked(NOTHING).status_code == 400
    assert removed(volume_id=NOTHING) == removed() == removed(volume_id=volume.id, file_to_merge="a/b") == 400
    bad = cloud.call("DELETE", "/os-assisted-volume-snapshots/x?delete_info=no", token="admin:admin")
    assert (
        bad.status_code,
        cloud.call("DELETE", "/os-assisted-volume-snapshots/x", token="admin:admin").status_code,
    ) == (
        400,
        400,
    )


def devices(cloud: Cloud, server: str) -> list[Any]:
    with cloud.store.cells[0].database.read() as connection:
        return [d for d in block_devices.of_server(connection, server) if d.is_volume]
