"""The metadata service over a server that a whole cloud built."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import falcon.testing
import pytest
from tests.service.cloud import Cloud, running

from kilonova.domain.guest_data import EC2_VERSIONS, VERSIONS, GuestDataOptions
from kilonova.kit.clock import ManualClock
from kilonova.metadata.app import build
from kilonova.metadata.options import MetadataOptions, ProxyOptions, ServiceOptions

SECRET = "keep this"
SCRIPT = b"#!/bin/sh\necho \x8b hello\n"


@dataclass
class Guest:
    """A server, and what asks in its name."""

    cloud: Cloud
    server: dict[str, Any]
    clock: ManualClock

    @property
    def address(self) -> str:
        found: str = self.server["addresses"]["private"][0]["addr"]
        return found

    def client(self, *, proxied: bool = True, keep: int = 15) -> falcon.testing.TestClient:
        options = MetadataOptions(
            ServiceOptions(metadata_cache_expiration=keep),
            ProxyOptions(service_metadata_proxy=proxied, metadata_proxy_shared_secret=SECRET if proxied else ""),
            GuestDataOptions("example.org", {"vendor": "us"}),
        )
        return falcon.testing.TestClient(build(self.cloud.store, options, self.clock))

    def headers(self, **more: str | None) -> dict[str, str]:
        uuid = self.server["id"]
        headers: dict[str, str | None] = {
            "X-Instance-ID": uuid,
            "X-Tenant-ID": "project",
            "X-Instance-ID-Signature": hmac.new(SECRET.encode(), uuid.encode(), hashlib.sha256).hexdigest(),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return {name: value for name, value in headers.items() if value is not None}

    def get(self, path: str, **more: Any) -> falcon.testing.Result:
        return self.client().simulate_get(path, headers=self.headers(), **more)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.flavor()
        network = cloud.network_api.network("private", "project")
        key = {
            "keypair": {
                "name": "k",
                "type": "ssh",
                "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd me",
            }
        }
        cloud.call("POST", "/os-keypairs", key, version="2.2")
        server = cloud.boot(
            networks=[{"uuid": network, "tag": "front"}],
            metadata={"role": "web"},
            user_data=base64.b64encode(SCRIPT).decode(),
        )
        yield Guest(cloud, server, ManualClock())


def test_versions_and_listings(guest: Guest) -> None:
    assert guest.get("/").text.split("\n") == list(EC2_VERSIONS)
    assert guest.get("/openstack").text.split("\n") == list(VERSIONS)
    assert guest.get("/openstack/").status_code == 200
    assert guest.get("/openstack/2012-08-10").text.split("\n") == ["meta_data.json", "user_data"]
    assert "vendor_data2.json" in guest.get("/openstack/latest/").text
    assert guest.get("/latest/").text == "meta-data/\nuser-data"
    assert guest.get("/openstack/2011-01-01").status_code == 404
    assert guest.get("/1999-01-01/meta-data").status_code == 404


def test_a_load_balancer_that_is_no_guest_sees_that_the_service_is_there(guest: Guest) -> None:
    answer = guest.client().simulate_get("/")
    assert (answer.status_code, answer.text.split("\n")) == (200, list(EC2_VERSIONS))
    assert guest.client().simulate_get("/latest").status_code == 400


def test_meta_data(guest: Guest) -> None:
    document = guest.get("/openstack/latest/meta_data.json").json
    assert document["uuid"] == guest.server["id"]
    assert document["hostname"] == "web.example.org"
    assert document["meta"] == {"role": "web"}
    assert document["project_id"] == "project"
    assert len(base64.b64decode(document["random_seed"])) == 512
    assert document["devices"][0]["tags"] == ["front"]
    first = guest.get("/openstack/2012-08-10/meta_data.json").json
    assert "random_seed" not in first
    assert "project_id" not in first
    assert "admin_pass" not in document


def test_other_files(guest: Guest) -> None:
    assert guest.get("/openstack/latest/user_data").content == SCRIPT
    assert guest.get("/openstack/latest/vendor_data.json").json == {"vendor": "us"}
    assert guest.get("/openstack/latest/vendor_data2.json").json == {"static": {"vendor": "us"}}
    network = guest.get("/openstack/latest/network_data.json").json
    assert network["links"][0]["ethernet_mac_address"].startswith("fa:16:3e")
    assert network["networks"][0]["type"] == "ipv4_dhcp"
    assert guest.get("/openstack/2013-10-17/network_data.json").status_code == 404
    assert guest.get("/openstack/latest/no_such.json").status_code == 404
    assert guest.get("/openstack/content/0000").status_code == 404
    assert guest.get("/openstack/content/²").status_code == 404


def test_ec2_tree(guest: Guest) -> None:
    keys = guest.get("/latest/meta-data/").text.split("\n")
    assert {"instance-id", "placement/", "local-ipv4", "block-device-mapping/"} <= set(keys)
    assert "placement/" not in guest.get("/2007-12-15/meta-data").text.split("\n")
    assert guest.get("/latest/meta-data/local-ipv4").text == guest.address
    assert guest.get("/latest/meta-data/placement/availability-zone").text == "nova"
    assert guest.get("/latest/meta-data/security-groups").text == "default"
    assert guest.get("/latest/meta-data/placement/nothing").status_code == 404
    assert guest.get("/latest/meta-data/hostname/deeper").status_code == 404
    assert guest.get("/latest/user-data").content == SCRIPT


@pytest.mark.parametrize("path", ["/openstack/latest/user_data", "/latest/user-data"])
def test_user_data_survive_the_network_agent(guest: Guest, path: str) -> None:
    """It reads each reply as text by its charset and writes it again as that."""
    reply = guest.get(path)
    assert reply.encoding is not None
    assert reply.content.decode(reply.encoding).encode(reply.encoding) == SCRIPT


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"X_Instance_ID": None}, 400),
        ({"X_Tenant_ID": None}, 400),
        ({"X_Instance_ID_Signature": None}, 400),
        ({"X_Instance_ID": "a,b"}, 400),
        ({"X_Instance_ID_Signature": "0" * 64}, 403),
        ({"X_Instance_ID_Signature": "ä"}, 403),
        ({"X_Tenant_ID": "other"}, 404),
    ],
)
def test_proxy_headers(guest: Guest, change: dict[str, str | None], status: int) -> None:
    reply = guest.client().simulate_get("/openstack/latest/meta_data.json", headers=guest.headers(**change))
    assert reply.status_code == status, reply.text
    assert reply.text.startswith(str(status))


def test_unknown_server_is_404(guest: Guest) -> None:
    uuid = "99999999-9999-9999-9999-999999999999"
    signature = hmac.new(SECRET.encode(), uuid.encode(), hashlib.sha256).hexdigest()
    headers = guest.headers(X_Instance_ID=uuid, X_Instance_ID_Signature=signature)
    assert guest.client().simulate_get("/latest/meta-data", headers=headers).status_code == 404


def test_by_address_only_without_the_proxy(guest: Guest) -> None:
    direct = guest.client(proxied=False)
    path = "/openstack/latest/meta_data.json"
    assert direct.simulate_get(path, remote_addr=guest.address).json["uuid"] == guest.server["id"]
    assert direct.simulate_get(path, remote_addr=guest.address[:-1]).status_code == 404
    assert direct.simulate_get(path, remote_addr="10.9.9.9", headers=guest.headers()).status_code == 404
    assert guest.client().simulate_get(path, remote_addr=guest.address).status_code == 400
    forwarded = {"X-Forwarded-For": guest.address}
    assert direct.simulate_get(path, remote_addr="10.9.9.9", headers=forwarded).status_code == 404


def test_what_was_read_is_kept_for_a_while(guest: Guest) -> None:
    client, database = guest.client(), guest.cloud.store.home.database
    client.simulate_get("/latest/meta-data", headers=guest.headers())
    with database.statements.watch() as second:
        client.simulate_get("/latest/meta-data", headers=guest.headers())
    assert not [s for s in second if "project_id" in s and "user_data" in s]
    guest.cloud.call("POST", f"/servers/{guest.server['id']}/metadata", {"metadata": {"new": "1"}})
    path = "/openstack/latest/meta_data.json"
    assert "new" not in client.simulate_get(path, headers=guest.headers()).json["meta"]
    guest.clock.advance(16)
    assert "new" in client.simulate_get(path, headers=guest.headers()).json["meta"]


def test_password_is_set_once(guest: Guest) -> None:
    client, path = guest.client(), "/openstack/latest/password"
    assert client.simulate_get(path, headers=guest.headers()).text == ""
    long = client.simulate_post(path, headers=guest.headers(), body="x" * 1021)
    assert long.status_code == 400
    assert client.simulate_post(path, headers=guest.headers(), body=b"\xff").status_code == 400
    assert client.simulate_post(path, headers=guest.headers(), body="c2VjcmV0").status_code == 200
    assert client.simulate_get(path, headers=guest.headers()).text == "c2VjcmV0"
    assert client.simulate_post(path, headers=guest.headers(), body="again").status_code == 409
    own = f"/servers/{guest.server['id']}/os-server-password"
    assert guest.cloud.call("GET", own).json == {"password": "c2VjcmV0"}
    assert guest.cloud.call("GET", own, token="other:elsewhere").status_code == 404
    assert guest.cloud.call("DELETE", own).status_code == 204
    assert guest.cloud.call("GET", own).json == {"password": ""}
    assert client.simulate_get("/openstack/2012-08-10/password", headers=guest.headers()).status_code == 404


def test_wrong_method_is_405(guest: Guest) -> None:
    assert guest.client().simulate_delete("/latest/meta-data", headers=guest.headers()).status_code == 405


def test_a_load_balancer_says_for_whom_it_asks(guest: Guest) -> None:
    (network,) = guest.cloud.network_api.rows("networks")
    signed = hmac.new(SECRET.encode(), b"edge", hashlib.sha256).hexdigest()
    whole = {
        "X-Metadata-Provider": "edge",
        "X-Forwarded-For": f"{guest.address}, 10.9.9.9",
        "X-Metadata-Provider-Signature": signed,
    }

    def ask(*, behind: tuple[str, ...] = (network["id"],), **changes: str | None) -> int:
        options = MetadataOptions(
            proxy=ProxyOptions(service_metadata_proxy=True, metadata_proxy_shared_secret=SECRET),
            networks_of=lambda provider: behind if provider == "edge" else (),
        )
        client = falcon.testing.TestClient(build(guest.cloud.store, options, guest.clock))
        wanted = {**whole, **{name.replace("_", "-"): value for name, value in changes.items()}}
        headers = {name: value for name, value in wanted.items() if value is not None}
        return int(client.simulate_get("/openstack/latest/meta_data.json", headers=headers).status_code)

    assert ask() == 200
    assert ask(behind=("another",)) == 404
    assert ask(X_Forwarded_For=None) == ask(X_Metadata_Provider_Signature=None) == 400
    assert ask(X_Metadata_Provider_Signature="wrong") == ask(X_Metadata_Provider="other") == 403
    assert ask(X_Forwarded_For="10.255.0.1") == ask(X_Forwarded_For="nonsense") == 404
