"""One suite over the fake and over the REST client against the built-in volume service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.cloud import wait_for

from kilonova.clients.cinder.contract import (
    AttachmentNotFound,
    Cinder,
    SnapshotNotFound,
    VolumeNotFound,
    VolumeNotUsable,
)
from kilonova.clients.cinder.facts import NewVolume
from kilonova.clients.cinder.fake import FakeCinder
from kilonova.clients.cinder.http import HttpCinder
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.auth import NoAuth
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.lab.volumes.api import build
from kilonova.lab.volumes.service import LabVolumes

URL = "http://volume.local"
PROJECT = "5b0c2d6a1f1e4c0b9a7d3e8f6a5b4c3d"
OTHER = "0ddc2d6a1f1e4c0b9a7d3e8f6a5b4c3d"
ALICE = Context(user_id="alice", project_id=PROJECT, roles=("member", "reader"), token=f"alice:{PROJECT}")
MALLORY = Context(user_id="mallory", project_id=OTHER, roles=("member", "reader"), token=f"mallory:{OTHER}")
SERVER = "7f2f8c1e-0f6a-4b6e-9d0c-3c1d2e3f4a5b"
CONNECTOR = {"host": "host1", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"}


@pytest.fixture(params=["fake", "rest"])
def cinder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cinder]:
    if request.param == "fake":
        yield FakeCinder()
        return
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/volumes.db"))
    app = build(LabVolumes(database, tmp_path / "volumes", lambda _image: None), NoAuth())
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "admin:service"}
    yield HttpCinder(neighbour(Sessions(from_mapping({"cinder": section}), {URL: app}), "cinder"))
    database.dispose()


def volume(cinder: Cinder, **more: str) -> str:
    made = cinder.create(ALICE, NewVolume(size=1, name="data", metadata=more))
    assert made.status == "creating"
    wait_for(lambda: cinder.get(ALICE, made.id).status == "available")
    return made.id


def test_volumes_are_their_projects(cinder: Cinder) -> None:
    ident = volume(cinder, colour="red")

    found = cinder.get(ALICE, ident)
    assert (found.size, found.name, found.metadata) == (1, "data", {"colour": "red"})
    assert [v.id for v in cinder.list(ALICE)] == [ident]
    assert cinder.list(MALLORY) == ()
    assert [v.id for v in cinder.list(None, [("all_tenants", "1"), ("metadata", "{'colour': 'red'}")])] == [ident]
    assert cinder.list(None, [("all_tenants", "1"), ("metadata", "{'colour': 'blue'}")]) == ()
    with pytest.raises(VolumeNotFound):
        cinder.get(MALLORY, ident)
    assert cinder.get(None, ident).project_id == PROJECT
    assert cinder.delete(ALICE, ident)
    wait_for(lambda: cinder.list(ALICE) == ())
    assert not cinder.delete(ALICE, ident)


def test_the_way_of_an_attachment(cinder: Cinder) -> None:
    ident = volume(cinder)

    reserved = cinder.reserve(ident, SERVER)
    assert (reserved.volume_id, reserved.server_id, reserved.connection_info) == (ident, SERVER, {})
    assert cinder.get(None, ident).status == "reserved"
    with pytest.raises(VolumeNotUsable):
        cinder.reserve(ident, "another")

    connected = cinder.connect(reserved.id, CONNECTOR)
    assert connected.connection_info["driver_volume_type"]
    assert connected.connection_info["data"]
    assert cinder.attachment(reserved.id).connection_info == connected.connection_info
    assert [a.id for a in cinder.attachments(SERVER)] == [reserved.id]

    cinder.complete(reserved.id)
    cinder.complete(reserved.id)
    found = cinder.get(ALICE, ident)
    assert (found.status, [use.server_id for use in found.uses]) == ("in-use", [SERVER])
    with pytest.raises(VolumeNotUsable):
        cinder.delete(ALICE, ident)

    assert cinder.release(reserved.id)
    assert not cinder.release(reserved.id)
    assert cinder.get(ALICE, ident).status == "available"
    assert cinder.attachments(SERVER) == ()
    with pytest.raises(AttachmentNotFound):
        cinder.complete(reserved.id)


def test_a_server_that_moves_has_two_attachments(cinder: Cinder) -> None:
    ident = volume(cinder)
    first = cinder.reserve(ident, SERVER)
    cinder.connect(first.id, CONNECTOR)
    cinder.complete(first.id)

    second = cinder.reserve(ident, SERVER, {**CONNECTOR, "host": "elsewhere"})

    assert second.connection_info["driver_volume_type"]
    assert {a.id for a in cinder.attachments(SERVER)} == {first.id, second.id}
    for each in (first, second):
        assert cinder.release(each.id)
    assert cinder.get(ALICE, ident).status == "available"
    cinder.delete(ALICE, ident)


def test_snapshots_make_volumes(cinder: Cinder) -> None:
    ident = volume(cinder)

    made = cinder.create_snapshot(ALICE, ident, "snap", "before the storm")
    wait_for(lambda: cinder.snapshot(ALICE, made.id).status == "available")
    assert [s.name for s in cinder.snapshots(ALICE)] == ["snap"]
    with pytest.raises(SnapshotNotFound):
        cinder.snapshot(MALLORY, made.id)

    copy = cinder.create(ALICE, NewVolume(size=1, snapshot_id=made.id))
    wait_for(lambda: cinder.get(ALICE, copy.id).status == "available")
    assert cinder.get(ALICE, copy.id).snapshot_id == made.id

    assert cinder.delete_snapshot(ALICE, made.id)
    wait_for(lambda: cinder.snapshots(ALICE) == ())


def test_nothing_is_made_of_nothing(cinder: Cinder) -> None:
    nothing = "7a1e6f62-3c44-4c6c-b84b-0d5d3df0e0aa"
    with pytest.raises(VolumeNotFound):
        cinder.reserve(nothing, SERVER)
    with pytest.raises(VolumeNotFound):
        cinder.create_snapshot(ALICE, nothing, "snap")
    assert not cinder.has_type(ALICE, "no such type")
