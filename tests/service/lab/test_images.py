import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from falcon import testing

from kilonova.kit.clock import ManualClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.lab.images.service import open_images

PATCH = "application/openstack-images-v2.1-json-patch"
RAW = {"disk_format": "raw", "container_format": "bare"}
DATA = b"0123456789" * 1000


def make(api: Any, **values: Any) -> dict[str, Any]:
    image: dict[str, Any] = api.post("/v2/images", {**RAW, **values})
    return image


def upload(api: Any, image: dict[str, Any], data: bytes = DATA, headers: Any = None) -> testing.Result:
    sent = {"Content-Type": "application/octet-stream", **(headers or {})}
    reply: testing.Result = api.call("PUT", image["file"], body=data, headers=sent)
    return reply


def patch(api: Any, image: dict[str, Any], *steps: dict[str, Any], status: int = 200) -> Any:
    return api.patch(image["self"], list(steps), status, PATCH)


def names(api: Any, query: str = "") -> list[str]:
    return [image["name"] for image in api.get(f"/v2/images{query}")["images"]]


# Versions, schemas, information


def test_version_documents_need_no_token_and_warn(image_application: Any) -> None:
    client = testing.TestClient(image_application)
    for path, status in (("/", 300), ("/versions", 200), ("/v2/", 200)):
        reply = client.simulate_get(path)
        assert reply.status_code == status
        first = reply.json["versions"][0]
        assert (first["id"], first["status"]) == ("v2.9", "CURRENT")
        assert first["links"][0]["href"].endswith("/v2/")
        assert "Not for production" in first["description"]


def test_errors_are_small_pages(image_application: Any, demo_images: Any) -> None:
    reply = testing.TestClient(image_application).simulate_get("/v2/images")
    assert reply.status_code == 401
    missing = demo_images.call("GET", f"/v2/images/{uuid.uuid4()}")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")
    assert "Failed to find image" in missing.text


def test_schemas_and_information(demo_images: Any) -> None:
    image = demo_images.get("/v2/schemas/image")
    assert image["name"] == "image"
    assert image["additionalProperties"] == {"type": "string"}
    assert image["properties"]["checksum"]["readOnly"] is True
    assert demo_images.get("/v2/schemas/images")["properties"]["images"]["items"]["name"] == "image"
    assert demo_images.get("/v2/schemas/members")["name"] == "members"
    assert demo_images.get("/v2/info/import")["import-methods"]["value"] == []
    assert demo_images.get("/v2/info/stores")["stores"][0]["id"] == "file"


# Making and showing


def test_a_new_image_waits_for_data(demo_images: Any, demo: Any) -> None:
    reply = demo_images.call("POST", "/v2/images", json={"name": "n", "hw_x": "1", "tags": ["b", "a"]})
    assert reply.status_code == 201
    image = reply.json
    assert reply.headers["location"].endswith(image["self"])
    assert (image["status"], image["visibility"], image["size"]) == ("queued", "shared", None)
    assert (image["hw_x"], image["tags"], image["min_disk"]) == ("1", ["a", "b"], 0)
    assert image["owner"] == demo.get("/v3/auth/projects")["projects"][0]["id"]
    assert image["created_at"] == "2026-01-01T00:00:00Z"
    assert demo_images.get(image["self"]) == image
    assert demo_images.call("GET", image["file"]).status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"disk_format": "floppy"}, 400),
        ({"min_ram": -1}, 400),
        ({"hw_x": 1}, 400),
        ({"tags": "a"}, 400),
        ({"id": "../../etc/passwd"}, 400),
        ([], 400),
        ({"status": "active"}, 403),
        ({"locations": []}, 403),
        ({"visibility": "public"}, 403),
        ({"owner": "somebody"}, 403),
    ],
)
def test_bad_images_are_refused_and_not_written(demo_images: Any, body: Any, status: int) -> None:
    demo_images.post("/v2/images", body, status)
    assert names(demo_images) == []


def test_clients_may_choose_a_free_id(demo_images: Any) -> None:
    key = str(uuid.uuid4())
    assert make(demo_images, id=key)["id"] == key
    demo_images.post("/v2/images", {"id": key}, 409)


def test_readers_do_not_make_images(admin: Any, image_application: Any, log_in: Any, demo_images: Any) -> None:
    (user,) = admin.get("/v3/users?name=demo")["users"]
    (project,) = admin.get("/v3/projects?name=admin")["projects"]
    (role,) = admin.get("/v3/roles?name=reader")["roles"]
    admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    reader = type(demo_images)(image_application, log_in("demo", "admin").token)
    reader.post("/v2/images", RAW, 403)
    assert names(reader) == []


# Data


def test_data_goes_in_and_comes_out(demo_images: Any, tmp_path: Path) -> None:
    image = make(demo_images)
    assert upload(demo_images, image).status_code == 204
    image = demo_images.get(image["self"])
    assert (image["status"], image["size"], image["virtual_size"]) == ("active", len(DATA), len(DATA))
    assert image["checksum"] == hashlib.md5(DATA).hexdigest()
    assert (image["os_hash_algo"], image["os_hash_value"]) == ("sha512", hashlib.sha512(DATA).hexdigest())
    reply = demo_images.call("GET", image["file"])
    assert reply.content == DATA
    assert reply.headers["content-md5"] == image["checksum"]
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-length"] == str(len(DATA))
    assert (tmp_path / "images" / image["id"]).read_bytes() == DATA
    assert upload(demo_images, image, b"again").status_code == 409
    assert demo_images.call("GET", image["file"]).content == DATA


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=0-4", 206, DATA[:5]),
        ("bytes=9990-", 206, DATA[9990:]),
        ("bytes=-3", 206, DATA[-3:]),
        ("bytes=9999-20000", 206, DATA[-1:]),
        ("bytes=0-1,5-6", 200, DATA),
        ("pages=1-2", 200, DATA),
    ],
)
def test_one_range_of_the_data(demo_images: Any, wanted: str, status: int, content: bytes) -> None:
    image = make(demo_images)
    upload(demo_images, image)
    reply = demo_images.call("GET", image["file"], headers={"Range": wanted})
    assert (reply.status_code, reply.content) == (status, content)
    assert reply.headers["content-length"] == str(len(content))


def test_a_range_beyond_the_end(demo_images: Any) -> None:
    image = make(demo_images)
    upload(demo_images, image)
    reply = demo_images.call("GET", image["file"], headers={"Range": "bytes=10000-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == "bytes */10000"


def test_a_broken_upload_can_be_repeated(demo_images: Any, tmp_path: Path) -> None:
    image = make(demo_images)
    reply = upload(demo_images, image, DATA, {"Content-Length": str(len(DATA) + 1)})
    assert reply.status_code == 400
    assert "announced" in reply.text
    assert demo_images.get(image["self"])["status"] == "queued"
    assert [p for p in (tmp_path / "images").rglob("*") if p.is_file()] == []
    assert upload(demo_images, image).status_code == 204


def test_an_upload_needs_formats_and_the_right_type(demo_images: Any) -> None:
    bare = demo_images.post("/v2/images", {"name": "bare"})
    reply = upload(demo_images, bare)
    assert reply.status_code == 400
    assert "container_format, disk_format" in reply.text
    assert upload(demo_images, make(demo_images), DATA, {"Content-Type": "application/json"}).status_code == 415


def test_an_empty_image_is_an_image(demo_images: Any) -> None:
    image = make(demo_images)
    assert upload(demo_images, image, b"").status_code == 204
    assert demo_images.get(image["self"])["size"] == 0
    assert demo_images.call("GET", image["file"]).content == b""


def test_uploads_that_died_with_the_process_start_over(tmp_path: Path) -> None:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path / 'again.db'}"))
    parts = open_images(database, tmp_path / "again", ManualClock())
    now = parts.clock.now()
    row = {"id": "i", "status": "saving", "visibility": "private", "created_at": now, "updated_at": now}
    parts.store.add(row, ())
    (tmp_path / "again" / ".incoming" / "i").write_bytes(b"half")
    parts = open_images(database, tmp_path / "again", ManualClock())
    assert parts.store.get("i")["status"] == "queued"
    assert list((tmp_path / "again" / ".incoming").iterdir()) == []
    database.dispose()


def test_deleting_takes_the_data_too(demo_images: Any, tmp_path: Path) -> None:
    image = make(demo_images, protected=True)
    upload(demo_images, image)
    demo_images.delete(image["self"], 403)
    patch(demo_images, image, {"op": "replace", "path": "/protected", "value": False})
    demo_images.delete(image["self"])
    demo_images.get(image["self"], 404)
    assert not (tmp_path / "images" / image["id"]).exists()


def test_deactivated_data_is_withheld(demo_images: Any, admin_images: Any) -> None:
    image = make(demo_images)
    admin_images.post(f"{image['self']}/actions/deactivate", None, 403)
    upload(demo_images, image)
    demo_images.post(f"{image['self']}/actions/deactivate", None, 403)
    admin_images.post(f"{image['self']}/actions/deactivate", None, 204)
    admin_images.post(f"{image['self']}/actions/deactivate", None, 204)
    assert demo_images.get(image["self"])["status"] == "deactivated"
    assert demo_images.call("GET", image["file"]).status_code == 403
    admin_images.post(f"{image['self']}/actions/reactivate", None, 204)
    assert demo_images.call("GET", image["file"]).status_code == 200


# Changing


def test_patches(demo_images: Any, clock: ManualClock) -> None:
    image = make(demo_images, name="old", a="1", b="2")
    clock.advance(60)
    changed = patch(
        demo_images,
        image,
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/x~1y~0z", "value": "3"},
        {"op": "remove", "path": "/a"},
        {"op": "replace", "path": "/tags", "value": ["t"]},
        {"op": "add", "path": "/min_disk", "value": 5},
    )
    assert (changed["name"], changed["x/y~z"], changed["tags"], changed["min_disk"]) == ("new", "3", ["t"], 5)
    assert changed["b"] == "2"
    assert "a" not in changed
    assert changed["updated_at"] == "2026-01-01T00:01:00Z"
    assert demo_images.get(image["self"]) == changed
    old_form = {"replace": "/name", "value": "older"}
    assert patch(demo_images, image, old_form)["name"] == "older"


def test_patches_of_single_tags(demo_images: Any) -> None:
    image = make(demo_images, tags=["a", "b"])
    steps = (
        {"op": "replace", "path": "/tags/1", "value": "c"},
        {"op": "remove", "path": "/tags/0"},
        {"op": "add", "path": "/tags/-", "value": "e"},
        {"op": "add", "path": "/tags/1", "value": "d"},
    )
    assert patch(demo_images, image, *steps)["tags"] == ["c", "d", "e"]


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ({"op": "replace", "path": "/nothing", "value": "x"}, 409),
        ({"op": "remove", "path": "/nothing"}, 409),
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "replace", "path": "/owner", "value": "x"}, 403),
        ({"op": "replace", "path": "/visibility", "value": "secret"}, 400),
        ({"op": "add", "path": "/hw_x", "value": 1}, 400),
        ({"op": "add", "path": "/hw_x"}, 400),
        ({"op": "add", "path": "hw_x", "value": "1"}, 400),
        ({"op": "add", "path": "/hw_x/0", "value": "1"}, 400),
        ({"op": "add", "path": "/tags/-", "value": 1}, 400),
        ({"op": "remove", "path": "/tags/0"}, 409),
        ({"op": "replace", "path": "/tags/x", "value": "1"}, 409),
        ({"op": "add", "path": f"/tags/{'9' * 5000}", "value": "1"}, 409),
        ({"op": "move", "path": "/name", "from": "/a"}, 400),
        ({}, 400),
    ],
)
def test_bad_patches_change_nothing(demo_images: Any, step: dict[str, Any], status: int) -> None:
    image = make(demo_images, name="n")
    good = {"op": "replace", "path": "/name", "value": "changed"}
    patch(demo_images, image, good, step, status=status)
    assert demo_images.get(image["self"]) == image


def test_patches_need_their_media_type(demo_images: Any) -> None:
    image = make(demo_images)
    demo_images.patch(image["self"], [], 415, "application/json")


def test_formats_are_fixed_once_there_is_data(demo_images: Any) -> None:
    image = make(demo_images)
    patch(demo_images, image, {"op": "replace", "path": "/disk_format", "value": "qcow2"})
    upload(demo_images, image)
    patch(demo_images, image, {"op": "replace", "path": "/disk_format", "value": "raw"}, status=403)


def test_tags(demo_images: Any) -> None:
    image = make(demo_images)
    demo_images.put(f"{image['self']}/tags/one")
    demo_images.put(f"{image['self']}/tags/one")
    assert demo_images.get(image["self"])["tags"] == ["one"]
    demo_images.delete(f"{image['self']}/tags/one")
    demo_images.delete(f"{image['self']}/tags/one", 404)
    demo_images.put(f"{image['self']}/tags/{'x' * 256}", status=400)


# Lists


@pytest.fixture
def shelf(demo_images: Any, admin_images: Any, clock: ManualClock) -> Any:
    """Images ``a`` to ``c`` of the demo project, a second apart, and a public one of the admin's."""
    shapes: dict[str, dict[str, Any]] = {"a": {"hw_x": "1"}, "b": {"tags": ["t"]}, "c": {"os_hidden": True}}
    for name, values in shapes.items():
        make(demo_images, name=name, **values)
        clock.advance(1)
    upload(demo_images, demo_images.get("/v2/images?name=b")["images"][0])
    make(admin_images, name="base", visibility="public", disk_format="qcow2")
    return demo_images


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["base", "b", "a"]),
        ("?os_hidden=true", ["c"]),
        ("?name=a", ["a"]),
        ("?name=in:a,base", ["base", "a"]),
        ("?status=active", ["b"]),
        ("?status=in:queued,active", ["base", "b", "a"]),
        ("?visibility=public", ["base"]),
        ("?visibility=shared", ["b", "a"]),
        ("?disk_format=qcow2", ["base"]),
        ("?hw_x=1", ["a"]),
        ("?tag=t", ["b"]),
        ("?size_min=1", ["b"]),
        ("?size_max=1", []),
        ("?protected=false&sort=name:asc", ["a", "b", "base"]),
        ("?sort_key=name&sort_dir=desc", ["base", "b", "a"]),
        ("?created_at=lt:2026-01-01T00:00:01Z", ["a"]),
        ("?created_at=2026-01-01T00:00:01", ["b"]),
        ("?limit=0", []),
    ],
)
def test_filters_and_order(shelf: Any, query: str, expected: list[str]) -> None:
    assert names(shelf, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "?limit=x",
        "?limit=-1",
        "?sort_key=colour",
        "?sort=name:up",
        "?sort_key=name&sort_key=id&sort_dir=asc&sort_dir=asc&sort_dir=asc",
        "?visibility=secret",
        "?member_status=maybe",
        "?size_min=big",
        "?size_min=99999999999999999999",
        "?protected=perhaps",
        "?created_at=gt:yesterday",
    ],
)
def test_bad_queries_are_named(shelf: Any, query: str) -> None:
    shelf.get(f"/v2/images{query}", 400)


def test_pages(shelf: Any) -> None:
    page = shelf.get("/v2/images?limit=2&sort=name:asc")
    assert [i["name"] for i in page["images"]] == ["a", "b"]
    assert page["first"] == "/v2/images?limit=2&sort=name%3Aasc"
    page = shelf.get(page["next"])
    assert [i["name"] for i in page["images"]] == ["base"]
    assert "next" not in page
    shelf.get("/v2/images?marker=nothing", 404)


# Sharing


def test_sharing(demo_images: Any, admin_images: Any, admin: Any, image_application: Any, log_in: Any) -> None:
    (user,) = admin.get("/v3/users?name=demo")["users"]
    project = admin.post("/v3/projects", {"project": {"name": "friends"}})["project"]["id"]
    (role,) = admin.get("/v3/roles?name=member")["roles"]
    admin.put(f"/v3/projects/{project}/users/{user['id']}/roles/{role['id']}")
    friend = type(demo_images)(image_application, log_in("demo", "friends").token)
    image = make(demo_images, name="gift")
    members = f"{image['self']}/members"
    friend.get(image["self"], 404)
    assert demo_images.post(members, {"member": project}, 200)["status"] == "pending"
    demo_images.post(members, {"member": project}, 409)
    assert friend.get(image["self"])["name"] == "gift"
    assert names(friend) == []
    assert names(friend, "?visibility=shared&member_status=pending") == ["gift"]
    demo_images.put(f"{members}/{project}", {"status": "accepted"}, 403)
    friend.put(f"{members}/{project}", {"status": "maybe"}, 400)
    assert friend.put(f"{members}/{project}", {"status": "accepted"}, 200)["status"] == "accepted"
    assert names(friend) == ["gift"]
    assert [m["member_id"] for m in friend.get(members)["members"]] == [project]
    friend.delete(image["self"], 403)
    friend.delete(f"{members}/{project}", 403)
    demo_images.delete(f"{members}/{project}")
    demo_images.delete(f"{members}/{project}", 404)
    friend.get(image["self"], 404)
    base = make(admin_images, visibility="public")
    admin_images.post(f"{base['self']}/members", {"member": project}, 403)
