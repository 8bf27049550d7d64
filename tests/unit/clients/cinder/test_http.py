from typing import Any

import pytest

from kilonova.clients.cinder.contract import (
    AttachmentNotFound,
    SnapshotNotFound,
    VolumeLimitExceeded,
    VolumeNotFound,
    VolumeNotUsable,
)
from kilonova.clients.cinder.facts import NewVolume
from kilonova.clients.cinder.http import HttpCinder, attachment_of, volume_of
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.context import Context
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://cinder.local"
ALICE = Context(user_id="alice", project_id="p1", token="alice")
ROW: dict[str, Any] = {
    "id": "v1",
    "status": "in-use",
    "size": 2,
    "name": "data",
    "availability_zone": "nova",
    "bootable": "true",
    "multiattach": False,
    "volume_image_metadata": {"image_id": "i1"},
    "attachments": [{"server_id": "s1", "attachment_id": "a1", "device": "/dev/vdb"}],
    "os-vol-tenant-attr:tenant_id": "p1",
}
ATTACHMENT: dict[str, Any] = {
    "id": "a1",
    "volume_id": "v1",
    "instance": "s1",
    "status": "attaching",
    "connection_info": {"driver_volume_type": "rbd", "name": "volumes/v1", "attachment_id": "a1", "encrypted": False},
}


def to(app: ScriptedApp) -> HttpCinder:
    section = {"auth_type": "admin_token", "endpoint": f"{URL}/v3/0123456789abcdef0123456789abcdef", "token": "t"}
    return HttpCinder(neighbour(Sessions(from_mapping({"cinder": section}), {URL: app}), "cinder", ManualClock()))


def told(status: int, reason: str = "no") -> Told:
    return Told(status, {"badRequest": {"code": status, "message": reason}})


def test_documents_become_facts() -> None:
    volume = volume_of(ROW)
    assert (volume.bootable, volume.zone, volume.project_id, volume.image_metadata) == (
        True,
        "nova",
        "p1",
        {"image_id": "i1"},
    )
    assert [(use.server_id, use.attachment_id) for use in volume.uses] == [("s1", "a1")]
    assert attachment_of(ATTACHMENT).connection_info == {
        "driver_volume_type": "rbd",
        "data": {"name": "volumes/v1", "encrypted": False},
    }
    assert attachment_of({**ATTACHMENT, "connection_info": None}).connection_info == {}


def test_users_ask_in_their_project_and_the_service_vouches_for_itself() -> None:
    app = ScriptedApp(Told(200, {"volume": ROW}), Told(200, {"attachment": ATTACHMENT}))
    cinder = to(app)

    cinder.get(ALICE, "v1")
    cinder.connect("a1", {"host": "h"})

    user, service = app.asked
    assert (user.path, user.headers["X-AUTH-TOKEN"]) == ("/v3/p1/volumes/v1", "alice")
    assert "OPENSTACK-API-VERSION" not in user.headers
    assert service.path == "/v3/attachments/a1"
    assert (service.headers["X-AUTH-TOKEN"], service.headers["X-SERVICE-TOKEN"]) == ("t", "t")
    assert service.headers["OPENSTACK-API-VERSION"] == "volume 3.44"
    assert service.json == {"attachment": {"connector": {"host": "h"}}}


def test_an_attachment_beside_another_is_connected_at_once() -> None:
    app = ScriptedApp(Told(200, {"attachment": ATTACHMENT}))
    to(app).reserve("v1", "s1", {"host": "h"})
    assert app.asked[0].json == {"attachment": {"volume_uuid": "v1", "instance_uuid": "s1", "connector": {"host": "h"}}}


def test_only_what_is_wanted_is_asked_for() -> None:
    app = ScriptedApp(Told(202, {"volume": {**ROW, "status": "creating"}}))

    made = to(app).create(ALICE, NewVolume(size=1, image_id="i1", metadata={"a": "b"}))

    assert made.status == "creating"
    assert app.asked[0].json == {"volume": {"size": 1, "imageRef": "i1", "metadata": {"a": "b"}}}


@pytest.mark.parametrize(
    ("status", "call", "error"),
    [
        (404, lambda c: c.get(None, "v1"), VolumeNotFound),
        (404, lambda c: c.snapshot(None, "s1"), SnapshotNotFound),
        (404, lambda c: c.attachment("a1"), AttachmentNotFound),
        (404, lambda c: c.complete("a1"), AttachmentNotFound),
        (404, lambda c: c.reserve("v1", "s1"), VolumeNotFound),
        (400, lambda c: c.reserve("v1", "s1"), VolumeNotUsable),
        (409, lambda c: c.reserve("v1", "s1"), VolumeNotUsable),
        (400, lambda c: c.delete(None, "v1"), VolumeNotUsable),
        (413, lambda c: c.create(None, NewVolume(size=1)), VolumeLimitExceeded),
        (413, lambda c: c.create_snapshot(None, "v1", "n"), VolumeLimitExceeded),
        (404, lambda c: c.create_snapshot(None, "v1", "n"), VolumeNotFound),
        (400, lambda c: c.create_snapshot(None, "v1", "n"), VolumeNotUsable),
    ],
)
def test_refusals(status: int, call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(to(ScriptedApp(told(status))))


def test_what_is_gone_needs_no_deleting() -> None:
    cinder = to(ScriptedApp(told(404)))
    assert not cinder.delete(None, "v1")
    assert not cinder.release("a1")
    assert not cinder.delete_snapshot(None, "s1")


def test_types_are_known_by_name_and_id() -> None:
    cinder = to(ScriptedApp(Told(200, {"volume_types": [{"id": "t1", "name": "ceph"}]})))
    assert [cinder.has_type(ALICE, name) for name in ("ceph", "t1", "lvm")] == [True, True, False]


def test_actions() -> None:
    app = ScriptedApp(Told(200, {"save_volume_id": "v2"}), Told(202), Told(202), Told(404, {}))
    cinder = to(app)

    assert cinder.migrated("v1", "v2", error=False) == "v2"
    cinder.reimage("v1", "i1")
    cinder.snapshot_status("s1", "creating", "90%")
    with pytest.raises(SnapshotNotFound):
        cinder.snapshot_status("s2", "error")

    assert [next(iter(asked.json)) for asked in app.asked] == [
        "os-migrate_volume_completion",
        "os-reimage",
        "os-update_snapshot_status",
        "os-update_snapshot_status",
    ]
