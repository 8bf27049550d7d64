"""Routes that other services answer: what happens there, and what is refused with which words."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from tests.service.cloud import Cloud, running

from kilonova.clients.glance.facts import NewImage

MISSING = "00000000-0000-4000-8000-00000000dead"


class Caller:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.public = cloud.network_api.network("public", cidr="172.24.4.0/29", external=True)
        self.private = cloud.network_api.network("private", "project")
        cloud.network_api.network("theirs", "other")
        image = NewImage(name="mine", disk_format="raw", owner="project", properties={"os_distro": "debian"})
        self.image = cloud.images.add(image, b"data").id

    def __call__(self, method: str, path: str, status: int, body: Any = None, **more: Any) -> Any:
        result = self.cloud.call(method, path, body, version=more.pop("version", "2.35"), **more)
        assert result.status_code == status, result.text
        return result.json if result.content else None


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.flavor()
        yield Caller(cloud)


def test_networks_are_the_projects(api: Caller) -> None:
    listed = api("GET", "/os-networks", 200)["networks"]
    assert [network["label"] for network in listed] == ["private"]
    assert "vlan" not in listed[0]
    shown = api("GET", f"/os-tenant-networks/{api.private}", 200)["network"]
    assert shown == {"id": api.private, "label": "private", "cidr": "None"}
    api("GET", f"/os-networks/{MISSING}", 404)


def test_floating_ips_are_allocated_used_and_released(api: Caller) -> None:
    assert {"name": "public"} in api("GET", "/os-floating-ip-pools", 200)["floating_ip_pools"]
    made = api("POST", "/os-floating-ips", 200, {"pool": "public"})["floating_ip"]
    server = api.cloud.boot(networks=[{"uuid": api.private}])["id"]
    api("POST", f"/servers/{server}/action", 202, {"addFloatingIp": {"address": made["ip"]}})
    api.cloud.network_api.update(
        "ports", api.cloud.network_api.rows("ports", [("device_id", server)])[0]["id"], {"device_owner": "compute:nova"}
    )
    shown = api("GET", f"/os-floating-ips/{made['id']}", 200)["floating_ip"]
    assert (shown["instance_id"], shown["pool"]) == (server, "public")
    assert shown["fixed_ip"]
    api("DELETE", f"/os-floating-ips/{made['id']}", 202)
    api("GET", f"/os-floating-ips/{made['id']}", 404)
    api("DELETE", f"/os-floating-ips/{made['id']}", 404)
    api("POST", "/os-floating-ips", 404, {"pool": "nowhere"})
    api("POST", "/os-floating-ips", 400, {"pool": 1})


def test_security_groups_and_their_rules(api: Caller) -> None:
    path = "/os-security-groups"
    made = api("POST", path, 200, {"security_group": {"name": "web", "description": "w"}})["security_group"]
    one = f"{path}/{made['id']}"
    renamed = api("PUT", one, 200, {"security_group": {"name": "www", "description": ""}})["security_group"]
    assert renamed["name"] == "www"
    rule = {"parent_group_id": made["id"], "ip_protocol": "icmp", "from_port": -1, "to_port": -1}
    added = api("POST", "/os-security-group-rules", 200, {"security_group_rule": rule})["security_group_rule"]
    assert (added["from_port"], added["to_port"], added["ip_range"]) == (-1, -1, {"cidr": "0.0.0.0/0"})
    friends = {"parent_group_id": made["id"], "group_id": made["id"]}
    from_group = api("POST", "/os-security-group-rules", 200, {"security_group_rule": friends})["security_group_rule"]
    assert from_group["group"] == {"name": "www", "tenant_id": "project"}
    assert len(api("GET", one, 200)["security_group"]["rules"]) == 2
    api("DELETE", f"/os-security-group-rules/{added['id']}", 202)
    api("DELETE", f"/os-security-group-rules/{added['id']}", 404)
    api("GET", one, 404, token="user:other")
    api("DELETE", one, 202)
    api("GET", one, 404)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/os-security-groups/web", 400, None),
        ("DELETE", f"/os-security-groups/{MISSING}", 404, None),
        ("POST", "/os-security-groups", 400, {"security_group": {"name": " ", "description": "x"}}),
        ("POST", "/os-security-groups", 400, {"security_group": {"name": "x"}}),
        ("POST", "/os-security-group-rules", 400, {"security_group_rule": {"parent_group_id": "web"}}),
        ("POST", "/os-security-group-rules", 404, {"security_group_rule": {"parent_group_id": MISSING}}),
        ("DELETE", "/os-security-group-rules/web", 400, None),
    ],
)
def test_wrong_groups_are_refused(api: Caller, method: str, path: str, status: int, body: Any) -> None:
    api(method, path, status, body)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"ip_protocol": "tcp"},
        {"ip_protocol": "tcp", "from_port": 80, "to_port": 22},
        {"ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr": "everywhere"},
        {"ip_protocol": "gre", "from_port": 1, "to_port": 1},
        {"ip_protocol": "udp", "from_port": 1, "to_port": 65536},
    ],
)
def test_wrong_rules_are_refused(api: Caller, rule: dict[str, Any]) -> None:
    group = api.cloud.network_api.security_group("rules", "project")
    api("POST", "/os-security-group-rules", 400, {"security_group_rule": {"parent_group_id": group, **rule}})


def test_a_group_in_use_stays(api: Caller) -> None:
    api.cloud.boot(networks=[{"uuid": api.private}])
    (default,) = [g for g in api("GET", "/os-security-groups", 200)["security_groups"] if g["name"] == "default"]
    api("DELETE", f"/os-security-groups/{default['id']}", 400)


def test_images_and_their_properties(api: Caller) -> None:
    first = api("GET", "/images?limit=1", 200)
    assert "images_links" in first
    assert len(api("GET", first["images_links"][0]["href"].partition("/v2.1")[2], 200)["images"]) == 1
    assert [i["id"] for i in api("GET", "/images/detail?name=mine&status=ACTIVE", 200)["images"]] == [api.image]
    made = NewImage(name="snap", visibility="public", properties={"instance_uuid": MISSING})
    snapshot = api.cloud.images.add(made, b"data").id
    for server in (MISSING, f"http://nova/v2.1/servers/{MISSING}", f"http://nova/servers/{MISSING}"):
        found = api("GET", f"/images/detail?server={quote(server, safe='')}", 200)["images"]
        assert [i["id"] for i in found] == [snapshot]
    one = f"/images/{api.image}"
    assert api("GET", one, 200)["image"]["metadata"] == {"os_distro": "debian"}
    meta = f"{one}/metadata"
    assert api("POST", meta, 200, {"metadata": {"a": "b"}})["metadata"] == {"a": "b", "os_distro": "debian"}
    assert api("PUT", meta, 200, {"metadata": {"c": "d"}})["metadata"] == {"c": "d"}
    assert api("PUT", f"{meta}/c", 200, {"meta": {"c": "e"}}, version="2.38")["meta"] == {"c": "e"}
    api("PUT", f"{meta}/c", 400, {"meta": {"x": "e"}})
    api("DELETE", f"{meta}/c", 204)
    api("DELETE", f"{meta}/c", 404)
    api("GET", f"{meta}/c", 404)
    api("POST", meta, 403, {"metadata": {f"key{n}": "x" for n in range(200)}})
    api("GET", f"/images/{MISSING}", 404)
    api("GET", one, 404, token="user:other")
    api("DELETE", one, 204)
    api("DELETE", one, 404)


def test_volumes_and_their_snapshots(api: Caller) -> None:
    made = api("POST", "/os-volumes", 200, {"volume": {"size": "2", "display_name": "v"}})["volume"]
    api.cloud.volumes.set(made["id"], status="available")
    body = {"snapshot": {"volume_id": made["id"], "display_name": "s"}}
    taken = api("POST", "/os-snapshots", 200, body)["snapshot"]
    assert taken["volumeId"] == made["id"]
    assert [s["id"] for s in api("GET", "/os-snapshots?limit=5", 200)["snapshots"]] == [taken["id"]]
    api("DELETE", f"/os-snapshots/{taken['id']}", 202)
    api("DELETE", f"/os-volumes/{made['id']}", 202)
    for path in ("/os-volumes", "/os-snapshots"):
        api("GET", f"{path}/{MISSING}", 404)
        api("DELETE", f"{path}/{MISSING}", 404)
        api("GET", path, 404, version="2.36")
    api("POST", "/os-volumes", 400, {"volume": {"size": 0}})
    api("POST", "/os-snapshots", 404, {"snapshot": {"volume_id": MISSING}})


def test_bare_metal_is_only_looked_at(api: Caller) -> None:
    api("GET", "/os-baremetal-nodes", 200, token="admin:admin")
    api("GET", "/os-baremetal-nodes", 403)
    api("GET", f"/os-baremetal-nodes/{MISSING}", 404, token="admin:admin")
    api("POST", "/os-baremetal-nodes", 400, {"node": {}})
    api("POST", f"/os-baremetal-nodes/{MISSING}/action", 400, {"add_interface": {}})
    api("DELETE", f"/os-baremetal-nodes/{MISSING}", 400)


def test_servers_have_another_name_up_to_2_102(api: Caller) -> None:
    body = {"server": {"name": "x", "imageRef": api.cloud.image.id, "flavorRef": "1", "networks": "none"}}
    made = api("POST", "/os-volumes_boot", 202, body, version="2.102")["server"]["id"]
    api.cloud.until(made, "ACTIVE")
    assert api("GET", f"/os-volumes_boot/{made}", 200, version="2.102")["server"]["id"] == made
    api("POST", f"/os-volumes_boot/{made}/action", 202, {"os-stop": None}, version="2.102")
    api("GET", "/os-volumes_boot", 404, version="2.103")


def test_above_their_last_version_they_are_gone(api: Caller) -> None:
    for path in ("/os-networks", "/os-tenant-networks", "/os-floating-ips", "/os-floating-ip-pools", "/images"):
        api("GET", path, 404, version="2.36")
    api("GET", f"/images/{api.cloud.image.id}/metadata", 404, version="2.39")
