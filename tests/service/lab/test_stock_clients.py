"""The clients everybody has, unchanged, against both services on real sockets."""

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from kilonova.kit.auth import CachedAuth, KeystoneAuth
from kilonova.kit.clock import SystemClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import Unauthorized, Unavailable
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.options import Configuration, from_mapping
from kilonova.lab.identity import service as identity_service
from kilonova.lab.identity.api.collection import Identity
from kilonova.lab.identity.seed import seed
from kilonova.lab.images import service as image_service


def middleware(url: str, *, password: str = "secret-glance", **more: object) -> Configuration:
    section = {
        "auth_type": "password",
        "auth_url": url,
        "www_authenticate_uri": url,
        "username": "glance",
        "password": password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "http_request_max_retries": 0,
        **more,
    }
    return from_mapping({"keystone_authtoken": section})


@dataclass(frozen=True)
class Lab:
    identity: Identity
    auth_url: str
    image_url: str

    def session(self, user: str = "admin", project: str = "admin") -> Any:
        home: dict[str, Any] = {"user_domain_id": "default", "project_domain_id": "default"}
        return session.Session(
            v3.Password(self.auth_url, username=user, password=f"secret-{user}", project_name=project, **home)
        )


@pytest.fixture
def lab(tmp_path: Path, identity: Identity) -> Iterator[Lab]:
    real = Identity(identity.store, SystemClock(), identity_service.TOKEN_LIFETIME)
    # Whatever fails below, what runs is stopped: a server left running would keep the process.
    with contextlib.ExitStack() as stack:

        def serve(application: Any, name: str) -> str:
            server = ThreadedServer(application, "127.0.0.1", 0, name=name)
            server.start()
            stack.callback(server.stop)
            return f"http://127.0.0.1:{server.port}"

        auth_url = serve(identity_service.build(real), "identity") + "/v3"
        database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path / 'images.db'}"))
        stack.callback(database.dispose)
        parts = image_service.open_images(database, tmp_path / "images")
        auth = CachedAuth(KeystoneAuth(middleware(auth_url)), seconds=10)
        image_url = serve(image_service.build(parts, auth), "images")
        seed(real.store, {}, {"identity": auth_url, "image": image_url})
        yield Lab(real, auth_url, image_url)


def test_keystoneauth_logs_in_discovers_and_reads_the_catalog(lab: Lab) -> None:
    admin = lab.session()
    assert admin.get_endpoint(service_type="image", interface="public", version=2) == f"{lab.image_url}/v2/"
    reply = admin.get("/projects", endpoint_filter={"service_type": "identity", "version": 3})
    assert reply.status_code == 200


def test_keystonemiddleware_validates(lab: Lab) -> None:
    demo = lab.session("demo", "demo")
    auth = KeystoneAuth(middleware(lab.auth_url))
    token = demo.get_token()
    context, expiry = auth.validate({"X-AUTH-TOKEN": token}, "req-1")
    assert (context.user_name, context.project_name) == ("demo", "demo")
    assert context.roles == ("member", "reader")
    assert expiry is not None
    with_service, _ = auth.validate({"X-AUTH-TOKEN": token, "X-SERVICE-TOKEN": service_token(lab)}, "req-2")
    assert with_service.service_roles == ("service",)
    with pytest.raises(Unauthorized):
        auth.validate({"X-AUTH-TOKEN": "nonsense"}, "req-3")
    lab.identity.tokens.revoke(token)
    with pytest.raises(Unauthorized):
        auth.validate({"X-AUTH-TOKEN": token}, "req-4")


def service_token(lab: Lab) -> str:
    token: str = lab.session("placement", "service").get_token()
    return token


def test_a_wrong_service_password_is_unavailability_not_the_callers_fault(lab: Lab) -> None:
    auth = KeystoneAuth(middleware(lab.auth_url, password="wrong"))
    with pytest.raises(Unavailable):
        auth.validate({"X-AUTH-TOKEN": "any"}, "req-1")


@pytest.mark.parametrize(("given", "seconds"), [({}, 60), ({"http_connect_timeout": 1}, 1)])
def test_an_identity_service_that_keeps_its_answer_is_given_up(given: dict[str, Any], seconds: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v3"
        configuration = middleware(url, **given)
        auth = KeystoneAuth(configuration)
        assert configuration.oslo.keystone_authtoken.http_connect_timeout == seconds
        if given:  # a minute is too long for a test
            with pytest.raises(Unavailable):
                auth.authenticate({"X-AUTH-TOKEN": "t"}, "r")


def test_an_unconfigured_middleware_says_where_to_look() -> None:
    auth = KeystoneAuth(from_mapping({"keystone_authtoken": {"www_authenticate_uri": "http://127.0.0.1:1"}}))
    with pytest.raises(Unavailable, match="keystone_authtoken"):
        auth.validate({"X-AUTH-TOKEN": "any"}, "req-1")


def test_chunked_uploads_and_downloads(lab: Lab) -> None:
    headers = {"X-Auth-Token": lab.session("demo", "demo").get_token()}
    body = {"disk_format": "raw", "container_format": "bare"}
    image = requests.post(f"{lab.image_url}/v2/images", json=body, headers=headers, timeout=10).json()
    piece = bytes(range(256)) * 1024
    url = lab.image_url + image["file"]
    binary = {**headers, "Content-Type": "application/octet-stream"}
    for status in (204, 409):
        pieces = (piece for _ in range(16))
        assert requests.put(url, data=pieces, headers=binary, timeout=30).status_code == status
    reply = requests.get(url, headers=headers, timeout=30)
    assert reply.content == piece * 16
    assert reply.headers["Content-MD5"] == hashlib.md5(piece * 16).hexdigest()


def test_a_refused_body_does_not_disturb_the_connection(lab: Lab) -> None:
    with requests.Session() as client:
        url = f"{lab.image_url}/v2/images/x/file"
        assert client.put(url, data=(b"x" * 100_000 for _ in range(3)), timeout=10).status_code == 401
        assert client.put(url, data=b"x" * 300_000, timeout=10).status_code == 401
        assert client.get(f"{lab.image_url}/versions", timeout=10).status_code == 200


@pytest.mark.filterwarnings("ignore")  # the SDK warns about itself: its next release, its sockets
def test_openstacksdk(lab: Lab, tmp_path: Path) -> None:
    from openstack import connection  # noqa: PLC0415  # a slow import that only this test wants

    cloud: Any = connection.Connection(session=lab.session(), region_name="RegionOne")
    (tmp_path / "disk.img").write_bytes(b"disk" * 5000)
    made = cloud.create_image(
        "cirros",
        filename=str(tmp_path / "disk.img"),
        disk_format="raw",
        container_format="bare",
        visibility="public",
        wait=True,
        hw_x="q35",
    )
    assert (made.status, made.size, made.properties["hw_x"]) == ("active", 20000, "q35")
    assert cloud.image.find_image("cirros", ignore_missing=False).id == made.id
    cloud.image.update_image(made, name="renamed", tags=["t"])
    assert [(i.name, i.tags) for i in cloud.image.images(limit=1)] == [("renamed", ["t"])]
    assert cloud.image.download_image(made).content == b"disk" * 5000
    cloud.image.delete_image(made)
    assert list(cloud.image.images()) == []
    assert [p.name for p in cloud.identity.projects()] == ["admin", "demo", "service"]
    user = cloud.identity.create_user(name="zoe", password="pw", default_project_id=None)
    cloud.identity.update_user(user, email="z@example.org")
    assert cloud.identity.find_user("zoe", ignore_missing=False).email == "z@example.org"
    cloud.identity.delete_user(user)
    cloud.close()
