"""A console's token from the API to the proxy's question, in a whole cloud."""

from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import Cloud

from kilonova.services.redeem import redeemer


@pytest.mark.parametrize("end", ["stop", "delete"])
def test_a_token_is_good_for_its_kind_until_its_guest_is_gone(tmp_path: Path, end: str) -> None:
    cloud = Cloud(tmp_path, serial_console={"enabled": True})
    cloud.start()
    try:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        tokens = {kind: token(cloud, uuid, kind) for kind in ("vnc/novnc", "serial/serial")}
        redeem = redeemer(cloud.bus)
        for kind, secret in tokens.items():
            found = redeem(secret)
            assert found is not None
            assert (found.kind, found.server) == (kind.partition("/")[2], uuid)
        if end == "stop":
            assert cloud.call("POST", f"/servers/{uuid}/action", {"os-stop": None}).status_code == 202
            cloud.until(uuid, "SHUTOFF")
        else:
            assert cloud.call("DELETE", f"/servers/{uuid}").status_code == 204
            cloud.until_gone(uuid)
        assert [redeem(secret) for secret in tokens.values()] == [None, None]
    finally:
        cloud.stop()


def test_gone_kinds_are_refused_with_words(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.start()
    try:
        cloud.flavor()
        uuid = cloud.boot()["id"]
        for kind in ("vnc/xvpvnc", "rdp/rdp-html5", "spice/spice-html5", "serial/serial", "mks/webmks"):
            answer = ask(cloud, uuid, kind)
            assert answer.status_code == 400
            assert f"Unavailable console type {kind.partition('/')[2]}" in answer.text
    finally:
        cloud.stop()


def ask(cloud: Cloud, uuid: str, kind: str) -> Any:
    protocol, _, what = kind.partition("/")
    body = {"remote_console": {"protocol": protocol, "type": what}}
    return cloud.call("POST", f"/servers/{uuid}/remote-consoles", body)


def token(cloud: Cloud, uuid: str, kind: str) -> str:
    answer = ask(cloud, uuid, kind)
    assert answer.status_code == 200, answer.text
    url: str = answer.json["remote_console"]["url"]
    return url.replace("%3D", "=").rpartition("=")[2]
