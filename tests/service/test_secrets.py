"""Nothing that is secret gets into logs, whatever happens and however much is logged."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud, wait_for

from kilonova.console.target import ConsoleTarget
from kilonova.services.redeem import redeemer

SECRETS = {
    "user token": "s3cr3t-t0ken",
    "password at create": "s3cr3t-created",
    "password at rebuild": "s3cr3t-rebuilt",
    "password at rescue": "s3cr3t-rescued",
    "password changed": "s3cr3t-changed",
    "user data": "czNjcjN0LXVzZXJkYXRh",
    "personal metadata proxy secret": "s3cr3t-metadata",
    "password of a section": "s3cr3t-section",
    "password of the broker": "s3cr3t-broker",
    "password of the database": "s3cr3t-database",
}


class Kept(logging.Handler):
    """What is said before anything is blotted out of it, with what was raised."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.exc_info:
            said += "".join(traceback.format_exception(*record.exc_info))
        self.lines.append(f"{record.name}: {said}")


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


class Talk:
    """A user whose token is a secret."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.token = f"{SECRETS['user token']}:project"

    def __call__(self, method: str, path: str, body: Any = None, *, version: str = "2.104") -> Any:
        result = self.cloud.call(method, path, body, version=version, token=self.token)
        assert result.status_code < 400, result.text
        return result.json if result.text else {}

    def act(self, uuid: str, action: dict[str, Any], until: str | None = None) -> Any:
        found = self("POST", f"/servers/{uuid}/action", action)
        if until:
            wait_for(lambda: self.is_(uuid, until))
        return found

    def is_(self, uuid: str, status: str) -> bool:
        found = self("GET", f"/servers/{uuid}")["server"]
        return found["status"] == status and found["OS-EXT-STS:task_state"] is None


def test_a_life_of_a_server_leaves_no_secret_in_the_logs(tmp_path: Path, kept: Kept) -> None:
    cloud = Cloud(
        tmp_path,
        neutron={"metadata_proxy_shared_secret": SECRETS["personal metadata proxy secret"]},
        keystone_authtoken={"password": SECRETS["password of a section"]},
        oslo_messaging_notifications={"transport_url": f"rabbit://u:{SECRETS['password of the broker']}@127.0.0.1:1/"},
        placement_database={"connection": f"mysql+pymysql://u:{SECRETS['password of the database']}@127.0.0.1:1/p"},
    )
    cloud.start()
    try:
        secrets = {**SECRETS, **_live(cloud, Talk(cloud))}
    finally:
        cloud.stop()
    assert [line for line in kept.lines if line.startswith("kilonova.operations.journal: create begins")]
    found = {name: line for name, secret in secrets.items() for line in kept.lines if secret in line}
    assert found == {}


def _live(cloud: Cloud, talk: Talk) -> dict[str, str]:
    """Use every way in that a secret has; returns those made on the way."""
    cloud.flavor()
    made: dict[str, str] = {}
    pair = talk("POST", "/os-keypairs", {"keypair": {"name": "k"}}, version="2.91")["keypair"]
    made["private key"] = pair["private_key"].splitlines()[2]
    wanted: dict[str, Any] = {
        "name": "web",
        "imageRef": cloud.image.id,
        "flavorRef": "1",
        "networks": "none",
        "key_name": "k",
    }
    wanted |= {"adminPass": SECRETS["password at create"], "user_data": SECRETS["user data"], "config_drive": True}
    uuid = talk("POST", "/servers", {"server": wanted})["server"]["id"]
    wait_for(lambda: talk.is_(uuid, "ACTIVE"))
    body = {"imageRef": cloud.image.id, "adminPass": SECRETS["password at rebuild"]}
    talk.act(uuid, {"rebuild": body}, "ACTIVE")
    talk.act(uuid, {"changePassword": {"adminPass": SECRETS["password changed"]}})
    talk.act(uuid, {"rescue": {"adminPass": SECRETS["password at rescue"]}}, "RESCUE")
    talk.act(uuid, {"unrescue": None}, "ACTIVE")
    console = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    url = talk("POST", f"/servers/{uuid}/remote-consoles", console)["remote_console"]["url"]
    made["console token"] = url.rpartition("token%3D")[2]
    redeem = redeemer(cloud.bus)
    assert isinstance(redeem(made["console token"]), ConsoleTarget)
    assert redeem(made["console token"] + "x") is None
    # Failures say most: a build that fails with everything in its hands.
    cloud.hosts["host1"].driver.faults.fail("create")
    lost = talk("POST", "/servers", {"server": wanted})["server"]["id"]
    wait_for(lambda: talk.is_(lost, "ERROR"))
    talk("DELETE", f"/servers/{uuid}")
    wait_for(lambda: cloud.call("GET", f"/servers/{uuid}", token=talk.token).status_code == 404)
    return made
