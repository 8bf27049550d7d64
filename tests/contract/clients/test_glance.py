"""One suite over the fake and over the REST client against the built-in image service."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.clients.glance.contract import Glance, ImageHasNoData, ImageNotFound
from kilonova.clients.glance.facts import NewImage
from kilonova.clients.glance.fake import FakeGlance
from kilonova.clients.glance.http import HttpGlance
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.auth import NoAuth
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.lab.images.service import build, open_images

URL = "http://image.local"
PROJECT = "5b0c2d6a1f1e4c0b9a7d3e8f6a5b4c3d"
ALICE = Context(user_id="alice", project_id=PROJECT, roles=("member", "reader"), token=f"alice:{PROJECT}")
MALLORY = Context(user_id="mallory", project_id="other", roles=("member", "reader"), token="mallory:other")


@pytest.fixture(params=["fake", "rest"])
def glance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Glance]:
    if request.param == "fake":
        yield FakeGlance()
        return
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/images.db"))
    app = build(open_images(database, tmp_path / "images"), NoAuth())
    section = {"auth_type": "admin_token", "endpoint": URL, "token": "admin"}
    yield HttpGlance(neighbour(Sessions(from_mapping({"glance": section}), {URL: app}), "glance"))
    database.dispose()


def queued(glance: Glance, **more: str) -> str:
    new = NewImage(name="snap", owner=PROJECT, properties={"base_image_ref": "abc", **more})
    return glance.create(None, new).id


def test_new_image_is_queued_and_the_owners(glance: Glance) -> None:
    image = glance.get(ALICE, queued(glance, hw_disk_bus="virtio"))

    assert (image.name, image.status, image.owner) == ("snap", "queued", PROJECT)
    assert image.properties["hw_disk_bus"] == "virtio"
    assert image.visibility == "private"


def test_data_goes_up_and_comes_down(glance: Glance, tmp_path: Path) -> None:
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(b"kilonova" * 300_000)
    image_id = queued(glance)

    glance.upload(image_id, source, "raw")
    glance.download(image_id, target)

    image = glance.get(None, image_id)
    assert target.read_bytes() == source.read_bytes()
    assert (image.status, image.disk_format, image.container_format) == ("active", "raw", "bare")
    assert image.size == 2_400_000
    assert image.hash_algo == "sha512"
    assert image.hash_value == hashlib.sha512(source.read_bytes()).hexdigest()


def test_upload_may_be_repeated(glance: Glance, tmp_path: Path) -> None:
    source = tmp_path / "up"
    source.write_bytes(b"x")
    image_id = queued(glance)

    glance.upload(image_id, source, "raw")
    glance.upload(image_id, source, "raw")

    assert glance.get(None, image_id).size == 1


def test_image_without_data_cannot_be_downloaded(glance: Glance, tmp_path: Path) -> None:
    with pytest.raises(ImageHasNoData, match="queued"):
        glance.download(queued(glance), tmp_path / "down")
    assert list(tmp_path.glob("*down*")) == []


def test_unknown_image(glance: Glance, tmp_path: Path) -> None:
    missing = "7a1e6f62-3c44-4c6c-b84b-0d5d3df0e0aa"
    with pytest.raises(ImageNotFound, match=missing):
        glance.get(None, missing)
    with pytest.raises(ImageNotFound):
        glance.download(missing, tmp_path / "down")
    with pytest.raises(ImageNotFound):
        glance.update(None, missing, {"name": "x"})
    assert glance.delete(None, missing) is False


def test_another_projects_image_is_not_there(glance: Glance) -> None:
    image_id = queued(glance)

    with pytest.raises(ImageNotFound):
        glance.get(MALLORY, image_id)
    assert image_id not in [image.id for image in glance.list(MALLORY)]
    assert image_id in [image.id for image in glance.list(ALICE)]


def test_update_sets_and_removes(glance: Glance) -> None:
    image_id = queued(glance, gone="1")

    image = glance.update(None, image_id, {"name": "renamed", "min_disk": 3, "kept/odd~": "yes"}, remove=["gone"])

    assert (image.name, image.min_disk) == ("renamed", 3)
    assert image.properties == {"base_image_ref": "abc", "kept/odd~": "yes"}
    assert glance.get(None, image_id) == image


def test_delete(glance: Glance) -> None:
    image_id = queued(glance)

    assert glance.delete(ALICE, image_id) is True
    with pytest.raises(ImageNotFound):
        glance.get(None, image_id)


def test_creating_with_an_id_may_be_repeated(glance: Glance) -> None:
    new = NewImage(name="snap", owner=PROJECT, id="0d7a4f0c-9d1f-4b32-8a43-5a7c9a5b6f10")

    assert glance.create(None, new).id == glance.create(None, new).id == new.id


def test_list_filters_and_pages(glance: Glance) -> None:
    ids = [glance.create(None, NewImage(name=name, owner=PROJECT)).id for name in ("a", "b", "a")]

    assert {image.id for image in glance.list(None, [("name", "a")])} == {ids[0], ids[2]}
    first = glance.list(None, [("limit", "2")])
    rest = glance.list(None, [("limit", "2"), ("marker", first[-1].id)])
    assert sorted(image.id for image in first + rest) == sorted(ids)
