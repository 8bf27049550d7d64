import base64
import json
from typing import Any

import pytest

from kilonova.domain import guest_data
from kilonova.domain.guest_data import GuestDataOptions

OPTIONS = GuestDataOptions("example.org", {"vendor": 1})
SUBNET = {
    "id": "s",
    "cidr": "10.0.0.0/24",
    "version": 4,
    "gateway": "10.0.0.1",
    "dns": ["10.0.0.2"],
    "dhcp": True,
    "routes": [],
}


def nic(*, tag: str | None = None, address: str = "10.0.0.5", **subnet: Any) -> dict[str, Any]:
    return {
        "port_id": "11111111-2222-3333-4444-555555555555",
        "mac": "fa:16:3e:00:00:01",
        "network_id": "n",
        "vif_type": "bridge",
        "mtu": 1450,
        "tag": tag,
        "fixed_ips": [{"address": address, "subnet": {**SUBNET, **subnet}, "floating": ["203.0.113.9"]}],
    }


def server(*nics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "uuid": "99999999-9999-9999-9999-999999999999",
        "name": "Web 1",
        "hostname": "web-1",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "p",
        "metadata": '{"role": "web"}',
        "network_info": json.dumps(nics),
        "key_name": None,
        "key_type": None,
        "key_data": None,
        "personality": None,
        "user_data": None,
        "image": None,
        "flavor": '{"original_name": "m1.tiny"}',
        "reservation_id": "r-1",
        "root_device_name": None,
        "security_groups": '[{"name": "default"}]',
        **more,
    }


def test_keys_grow_with_the_version() -> None:
    first = guest_data.meta_data(server(), OPTIONS, version="2012-08-10")
    last = guest_data.meta_data(server(), OPTIONS)
    assert set(last) - set(first) == {"random_seed", "project_id", "devices", "dedicated_cpus"}
    assert last["hostname"] == "web-1.example.org"


def test_the_seed_is_the_servers_own() -> None:
    same = [guest_data.meta_data(server(), OPTIONS)["random_seed"] for _ in range(2)]
    other = guest_data.meta_data(server(uuid="88888888-9999-9999-9999-999999999999"), OPTIONS)["random_seed"]
    assert same[0] == same[1] != other


def test_keys_files_and_password() -> None:
    files = '[{"path": "/etc/motd", "contents": "aGk="}]'
    row = server(key_name="k", key_type="ssh", key_data="ssh-rsa x", personality=files)
    document = guest_data.meta_data(row, OPTIONS, admin_pass="secret")
    assert document["public_keys"] == {"k": "ssh-rsa x"}
    assert document["files"] == [{"path": "/etc/motd", "content_path": "/content/0000"}]
    assert document["admin_pass"] == "secret"
    assert guest_data.injected_files(row) == [("/etc/motd", b"hi")]


def test_tagged_devices() -> None:
    document = guest_data.meta_data(server(nic(tag="front"), nic()), OPTIONS)
    assert [device["tags"] for device in document["devices"]] == [["front"]]


@pytest.mark.parametrize(
    ("subnet", "kind"),
    [
        ({}, "ipv4_dhcp"),
        ({"dhcp": False}, "ipv4"),
        ({"version": 6, "cidr": "fd00::/64", "gateway": "fd00::1", "ipv6_address_mode": "slaac"}, "ipv6_slaac"),
        ({"version": 6, "cidr": "fd00::/64", "gateway": None, "dhcp": False}, "ipv6"),
    ],
)
def test_kinds_of_networks(subnet: dict[str, Any], kind: str) -> None:
    (network,) = guest_data.network_data([nic(**subnet)])["networks"]
    assert network["type"] == kind


def test_a_static_network_says_everything() -> None:
    routes = [{"destination": "192.168.0.0/16", "nexthop": "10.0.0.9"}]
    data = guest_data.network_data([nic(dhcp=False, routes=routes)])
    (network,) = data["networks"]
    assert (network["ip_address"], network["netmask"]) == ("10.0.0.5", "255.255.255.0")
    assert network["routes"][0] == {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"}
    assert network["routes"][1] == {"network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.9"}
    assert data["services"] == [{"type": "dns", "address": "10.0.0.2"}]
    assert data["links"][0]["id"] == "tap11111111-22"


def test_files_of_a_version() -> None:
    assert guest_data.listing(server(), "2012-08-10") == ["meta_data.json"]
    assert "user_data" in guest_data.listing(server(user_data="aGk="), "2012-08-10")
    assert guest_data.file("user_data", "latest", server(user_data="aGk="), OPTIONS) == b"hi"
    assert json.loads(guest_data.file("vendor_data2.json", "latest", server(), OPTIONS)) == {"static": {"vendor": 1}}
    missing = [("vendor_data2.json", "2015-10-15"), ("user_data", "latest"), ("password", "latest"), ("x", "latest")]
    for name, version in missing:
        with pytest.raises(KeyError):
            guest_data.file(name, version, server(), OPTIONS)


def test_the_ec2_tree() -> None:
    tree = guest_data.ec2_meta_data(server(nic()), OPTIONS)
    assert (tree["instance-id"], tree["local-ipv4"], tree["public-ipv4"]) == ("i-00000007", "10.0.0.5", "203.0.113.9")
    assert "placement" not in guest_data.ec2_meta_data(server(), OPTIONS, version="2007-12-15")
    assert "kernel-id" not in tree
    kernel = guest_data.ec2_meta_data(server(image='{"properties": {"kernel_id": "x"}}'), OPTIONS)
    assert kernel["kernel-id"] == "aki-00000007"
    assert guest_data.ec2_meta_data(server(), OPTIONS)["local-ipv4"] == ""


def test_the_config_drive_has_the_ports_it_is_given() -> None:
    files = guest_data.config_drive(server(user_data="aGk="), [nic()], OPTIONS, "secret")
    network = json.loads(base64.b64decode(files["openstack/latest/network_data.json"]))
    assert network["links"][0]["ethernet_mac_address"] == "fa:16:3e:00:00:01"
    assert base64.b64decode(files["openstack/latest/user_data"]) == b"hi"
    assert json.loads(base64.b64decode(files["openstack/latest/meta_data.json"]))["admin_pass"] == "secret"
    assert {"ec2/latest/meta-data.json", "ec2/2009-04-04/user-data", "openstack/2012-08-10/meta_data.json"} <= set(
        files
    )
    assert not [path for path in files if path.endswith("password")]
