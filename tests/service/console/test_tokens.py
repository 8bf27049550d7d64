"""A console's token from the API to the proxy's question, in a whole cloud."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.cloud import Cloud

from kilonova.services.redeem import redeemer


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"), serial_console={"enabled": True})
    made.start()
    made.flavor()
    yield made
    made.stop()


@pytest.mark.parametrize("end", ["stop", "delete"])
def test_a_token_is_good_for_its_kind_until_its_guest_is_gone(cloud: Cloud, end: str) -> None:
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


def test_kinds_that_are_gone_or_off_are_refused_with_words(cloud: Cloud) -> None:
    uuid = cloud.boot()["id"]
    for kind in ("vnc/xvpvnc", "rdp/rdp-html5", "spice/spice-html5", "mks/webmks"):
        answer = ask(cloud, uuid, kind)
        assert answer.status_code == 400
        assert f"Unavailable console type {kind.partition('/')[2]}" in answer.text


def ask(cloud: Cloud, uuid: str, kind: str) -> Any:
    protocol, _, what = kind.partition("/")
    body = {"remote_console": {"protocol": protocol, "type": what}}
    return cloud.call("POST", f"/servers/{uuid}/remote-consoles", body)


def token(cloud: Cloud, uuid: str, kind: str) -> str:
    answer = ask(cloud, uuid, kind)
    assert answer.status_code == 200, answer.text
    url: str = answer.json["remote_console"]["url"]
    return url.replace("%3D", "=").rpartition("=")[2]
