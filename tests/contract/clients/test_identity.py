"""Logging in with a section's password, the catalog and Keystone's own API, against the built-in identity service."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.clients.keystone.errors import BadCredentials, NoEndpoint
from kilonova.clients.keystone.identity import HttpIdentity
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.options import Configuration, load
from kilonova.kit.sessions import Sessions
from kilonova.lab.identity.seed import USERS, seed
from kilonova.lab.identity.service import build, open_identity


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service on a real port."""
    path = tmp_path_factory.mktemp("identity")
    database = Database(DatabaseOptions(connection=f"sqlite:///{path}/identity.db"))
    identity = open_identity(database)
    server = ThreadedServer(build(identity), "127.0.0.1", 0, name="identity")
    server.start()
    where = f"http://127.0.0.1:{server.port}"
    seed(identity.store, dict.fromkeys(USERS, "right"), {"identity": f"{where}/v3", "image": "http://glance.local/v2"})
    yield where
    server.stop()
    database.dispose()


def configured(tmp_path: Path, url: str, *, password: str = "right", region: str = "RegionOne") -> Configuration:
    conf = tmp_path / "nova.conf"
    conf.write_text(
        f"[service_user]\nauth_type = password\nauth_url = {url}\nusername = nova\npassword = {password}\n"
        "user_domain_name = Default\nproject_name = service\nproject_domain_name = Default\n"
        f"[keystone]\nregion_name = {region}\n[glance]\nregion_name = {region}\n"
    )
    return load("test", files=[str(conf)])


def test_catalog_and_token_from_a_configuration_file(tmp_path: Path, url: str) -> None:
    sessions = Sessions(configured(tmp_path, url))

    assert neighbour(sessions, "glance").location().url == "http://glance.local"
    assert neighbour(sessions, "keystone").location().url == url


def test_project(tmp_path: Path, url: str) -> None:
    keystone = neighbour(Sessions(configured(tmp_path, url)), "keystone")
    (demo,) = keystone.get("/v3/projects", [("name", "demo")])["projects"]
    identity = HttpIdentity(keystone)

    assert identity.project_exists(None, demo["id"]) is True
    for wrong in (uuid.uuid4().hex, "..", f"{demo['id']}/tags", f"../projects/{demo['id']}"):
        assert identity.project_exists(None, wrong) is False


def test_wrong_password_names_the_section(tmp_path: Path, url: str) -> None:
    keystone = neighbour(Sessions(configured(tmp_path, url, password="wrong")), "keystone")

    with pytest.raises(BadCredentials, match=r"\[service_user\]"):
        keystone.get("/v3/projects")


def test_wrong_region(tmp_path: Path, url: str) -> None:
    with pytest.raises(NoEndpoint, match="region Nowhere"):
        neighbour(Sessions(configured(tmp_path, url, region="Nowhere")), "glance").location()
