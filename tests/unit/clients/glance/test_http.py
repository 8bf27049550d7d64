import hashlib
from pathlib import Path

import pytest

from kilonova.clients.glance.contract import ImageCorrupt, ImageNotFound, ImageNotQueued, ImageTooLong
from kilonova.clients.glance.facts import NewImage
from kilonova.clients.glance.http import HttpGlance, body_of, image_of
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Forbidden
from kilonova.kit.http.scripted import ScriptedApp, Told
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions

URL = "http://glance.local"
ROW = {
    "id": "i1",
    "name": None,
    "status": "active",
    "owner": "p",
    "visibility": "shared",
    "disk_format": "qcow2",
    "container_format": "bare",
    "size": 4,
    "virtual_size": None,
    "min_disk": 1,
    "min_ram": 64,
    "checksum": "x",
    "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(b"good").hexdigest(),
    "os_hidden": False,
    "protected": False,
    "tags": ["t"],
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "self": "/v2/images/i1",
    "file": "/v2/images/i1/file",
    "schema": "/v2/schemas/image",
    "hw_machine_type": "q35",
    "odd": None,
}


def to(app: ScriptedApp) -> HttpGlance:
    section = {"auth_type": "admin_token", "endpoint": f"{URL}/v2", "token": "t"}
    return HttpGlance(neighbour(Sessions(from_mapping({"glance": section}), {URL: app}), "glance", ManualClock()))


def test_document_becomes_facts() -> None:
    image = image_of(ROW)

    assert (image.id, image.name, image.visibility, image.size, image.tags) == ("i1", None, "shared", 4, ("t",))
    assert image.hash_algo == "sha512"
    assert image.properties == {"hw_machine_type": "q35"}


def test_queued_image_has_size_zero() -> None:
    assert image_of({**ROW, "size": None}).size == 0


def test_body_leaves_out_what_is_unknown() -> None:
    assert body_of(NewImage(name="n", properties={"a": "b"})) == {
        "a": "b",
        "name": "n",
        "visibility": "private",
        "tags": [],
        "min_disk": 0,
        "min_ram": 0,
    }


def test_damaged_data_never_gets_the_name(tmp_path: Path) -> None:
    app = ScriptedApp(Told(200, ROW), Told(200, b"evil"))

    with pytest.raises(ImageCorrupt, match="sha512"):
        to(app).download("i1", tmp_path / "disk")
    assert list(tmp_path.iterdir()) == []


def test_data_without_end_is_not_written(tmp_path: Path) -> None:
    app = ScriptedApp(Told(200, {**ROW, "size": 4}), Told(200, b"good" * 1000))

    with pytest.raises(ImageTooLong, match="more data than the 4 bytes"):
        to(app).download("i1", tmp_path / "disk")
    assert list(tmp_path.iterdir()) == []


def test_ancient_image_is_checked_by_md5(tmp_path: Path) -> None:
    row = {**ROW, "os_hash_algo": None, "os_hash_value": None, "checksum": hashlib.md5(b"good").hexdigest()}
    app = ScriptedApp(Told(200, row), Told(200, b"good"))

    to(app).download("i1", tmp_path / "disk")

    assert (tmp_path / "disk").read_bytes() == b"good"
    assert app.asked[1].headers["ACCEPT"] == "application/octet-stream"


def test_image_that_goes_away_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound):
        to(ScriptedApp(Told(200, ROW), Told(404))).download("i1", tmp_path / "disk")


def test_upload_sets_the_format_first(tmp_path: Path) -> None:
    source = tmp_path / "disk"
    source.write_bytes(b"good")
    queued = {**ROW, "status": "queued", "disk_format": None, "container_format": None}
    app = ScriptedApp(Told(200, queued), Told(200, ROW), Told(204))

    to(app).upload("i1", source, "raw")

    assert app.calls == [("GET", "/v2/images/i1"), ("PATCH", "/v2/images/i1"), ("PUT", "/v2/images/i1/file")]
    assert app.asked[1].json == [
        {"op": "add", "path": "/disk_format", "value": "raw"},
        {"op": "add", "path": "/container_format", "value": "bare"},
    ]
    assert app.asked[1].headers["CONTENT-TYPE"] == "application/openstack-images-v2.1-json-patch"
    assert app.asked[2].content == b"good"


def test_upload_to_an_image_that_is_saving(tmp_path: Path) -> None:
    with pytest.raises(ImageNotQueued, match="saving"):
        to(ScriptedApp(Told(200, {**ROW, "status": "saving"}))).upload("i1", tmp_path / "disk", "raw")


def test_protected_image_is_not_deleted() -> None:
    with pytest.raises(Forbidden, match="protected"):
        to(ScriptedApp(Told(403, b"Image i1 is protected and cannot be deleted."))).delete(None, "i1")
