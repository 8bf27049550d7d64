"""Ports of running servers: plugged in, plugged out, changed; and what old versions do to addresses and groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.service.cloud import Cloud, running, wait_for

MISSING = "00000000-0000-4000-8000-00000000dead"


@dataclass
class World:
    cloud: Cloud
    network: str
    server: str

    def call(self, method: str, path: str = "", body: Any = None, **more: Any) -> Any:
        return self.cloud.call(method, f"/servers/{self.server}/os-interface{path}", body, **more)

    def attach(self, status: int = 200, *, version: str = "2.104", **wanted: Any) -> Any:
        result = self.call("POST", body={"interfaceAttachment": wanted}, version=version)
        assert result.status_code == status, result.text
        return result.json["interfaceAttachment"] if status == 200 else result.json

    def act(self, status: int, version: str = "2.43", **body: Any) -> Any:
        result = self.cloud.call("POST", f"/servers/{self.server}/action", body, version=version)
        assert result.status_code == status, result.text
        return result

    def plugged(self) -> tuple[str, ...]:
        driver: Any = self.cloud.hosts["host1"].driver
        return tuple(driver.macs(self.server))

    def addresses(self) -> list[str]:
        shown = self.cloud.show(self.server).json["server"]["addresses"]
        return sorted(entry["addr"] for entries in shown.values() for entry in entries)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as made:
        made.flavor()
        yield made


@pytest.fixture
def world(cloud: Cloud) -> Iterator[World]:
    network = cloud.network_api.network("private", "project")
    yield World(cloud, network, cloud.boot(networks=[{"uuid": network}])["id"])
    driver: Any = cloud.hosts["host1"].driver
    driver.faults.clear()
    for made in cloud.network_api.rows("networks"):
        cloud.network_api.delete("networks", made["id"])


def test_a_port_is_made_plugged_in_and_out_again(world: World) -> None:
    second = world.cloud.network_api.network("second", "project", cidr="10.1.0.0/24")
    made = world.attach(net_id=second, fixed_ips=[{"ip_address": "10.1.0.9"}], tag="db")
    assert made["tag"] == "db"
    assert [ip["ip_address"] for ip in made["fixed_ips"]] == ["10.1.0.9"]
    assert made["mac_addr"] in world.plugged()
    assert "10.1.0.9" in world.addresses()
    listed = world.call("GET").json["interfaceAttachments"]
    assert [port["net_id"] for port in listed] == [world.network, second]
    assert world.call("GET", f"/{made['port_id']}").json["interfaceAttachment"] == made
    assert "tag" not in world.call("GET", f"/{made['port_id']}", version="2.69").json["interfaceAttachment"]
    actions = world.cloud.call("GET", f"/servers/{world.server}/os-instance-actions").json["instanceActions"]
    assert actions[0]["action"] == "attach_interface"
    assert world.call("DELETE", f"/{made['port_id']}").status_code == 202
    wait_for(lambda: world.call("GET", f"/{made['port_id']}").status_code == 404)
    wait_for(lambda: made["mac_addr"] not in world.plugged() and "10.1.0.9" not in world.addresses())
    assert not world.cloud.network_api.rows("ports", [("id", made["port_id"])])


def test_a_users_port_is_given_back(world: World) -> None:
    port = world.cloud.network_api.user_port(world.network, "project")
    assert world.attach(port_id=port, version="2.1")["port_state"] == "ACTIVE"
    assert world.attach(409, port_id=port)
    assert world.call("DELETE", f"/{port}").status_code == 202
    wait_for(lambda: world.cloud.network_api.show("ports", port)["device_id"] == "")


def test_without_a_wish_the_projects_only_network_serves(world: World) -> None:
    assert world.attach()["net_id"] == world.network


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (404, {"port_id": MISSING}),
        (404, {"net_id": MISSING}),
        (400, {"net_id": "{network}", "port_id": MISSING}),
        (400, {"fixed_ips": [{"ip_address": "10.0.0.9"}]}),
        (400, {"net_id": "{network}", "fixed_ips": [{"ip_address": "192.0.2.1"}]}),
        (400, {"net_id": "{network}", "fixed_ips": [{"ip_address": "not one"}]}),
        (409, {"net_id": "{network}", "fixed_ips": [{"ip_address": "{taken}"}]}),
        (400, {"net_id": "{network}", "other": 1}),
    ],
)
def test_a_wrong_wish_is_refused(world: World, status: int, wanted: dict[str, Any]) -> None:
    text = repr(wanted).replace("{network}", world.network).replace("{taken}", world.addresses()[0])
    before = world.plugged()
    world.attach(status, **eval(text))  # a literal of this table
    assert world.plugged() == before


def test_a_tag_has_its_version(world: World) -> None:
    world.attach(400, version="2.48", net_id=world.network, tag="x")


def test_a_host_that_cannot_leaves_nothing(world: World) -> None:
    driver: Any = world.cloud.hosts["host1"].driver
    driver.faults.fail("attach_nic")
    failed = world.attach(500, net_id=world.network)
    assert "Failed to attach" in failed["computeFault"]["message"]
    assert len(world.cloud.network_api.rows("ports", [("device_id", world.server)])) == 1
    server = world.cloud.show(world.server).json["server"]
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


def test_neither_a_wrong_state_nor_a_lock_lets_through(world: World) -> None:
    action = f"/servers/{world.server}/action"
    world.cloud.call("POST", action, {"lock": None}, token="admin:admin")
    world.attach(409, net_id=world.network)
    world.cloud.call("POST", action, {"unlock": None}, token="admin:admin")
    world.act(202, suspend=None)
    world.cloud.until(world.server, "SUSPENDED")
    world.attach(409, net_id=world.network)


def test_a_port_deleted_in_the_network_service_is_unplugged(world: World) -> None:
    made = world.attach(net_id=world.network)
    world.cloud.network_api.delete("ports", made["port_id"])
    event = {"name": "network-vif-deleted", "server_uuid": world.server, "tag": made["port_id"]}
    sent = world.cloud.call("POST", "/os-server-external-events", {"events": [event]}, token="admin:admin")
    assert sent.status_code == 200
    wait_for(lambda: made["mac_addr"] not in world.plugged())


def test_deleting_a_server_gives_its_attached_ports_back(world: World) -> None:
    bare = world.cloud.boot(networks="none")["id"]
    attached = World(world.cloud, world.network, bare)
    attached.attach(net_id=world.network)
    world.cloud.call("DELETE", f"/servers/{bare}")
    world.cloud.until_gone(bare)
    assert not world.cloud.network_api.rows("ports", [("device_id", bare)])


def test_fixed_addresses_come_and_go(world: World) -> None:
    before = world.addresses()
    world.act(202, addFixedIp={"networkId": world.network})
    wait_for(lambda: len(world.addresses()) == 2)
    (new,) = set(world.addresses()) - set(before)
    world.act(202, removeFixedIp={"address": new})
    wait_for(lambda: world.addresses() == before)
    world.act(400, removeFixedIp={"address": new})
    world.act(400, addFixedIp={"networkId": MISSING})
    world.act(404, "2.44", addFixedIp={"networkId": world.network})


def test_floating_addresses_come_and_go(world: World) -> None:
    public = world.cloud.network_api.network("public", cidr="172.24.4.0/24", external=True)
    floating = {"floating_network_id": public, "project_id": "project"}
    (row,) = world.cloud.network_api.create("floatingips", [floating])
    address = row["floating_ip_address"]
    world.act(409, removeFloatingIp={"address": address})
    world.act(400, addFloatingIp={"address": address, "fixed_address": "192.0.2.7"})
    world.act(202, addFloatingIp={"address": address})
    wait_for(lambda: address in world.addresses())
    world.act(202, removeFloatingIp={"address": address})
    wait_for(lambda: address not in world.addresses())
    world.act(404, addFloatingIp={"address": "172.24.4.99"})


def test_security_groups_come_and_go(world: World) -> None:
    world.cloud.network_api.security_group("web", "project")

    def names() -> set[str]:
        shown = world.cloud.show(world.server).json["server"]["security_groups"]
        return {group["name"] for group in shown}

    world.act(202, "2.104", addSecurityGroup={"name": "web"})
    assert names() == {"default", "web"}
    world.act(202, "2.104", removeSecurityGroup={"name": "web"})
    assert names() == {"default"}
    world.act(202, "2.104", removeSecurityGroup={"name": "default"})
    assert "security_groups" not in world.cloud.show(world.server).json["server"]
    world.act(202, "2.104", addSecurityGroup={"name": "default"})
    assert names() == {"default"}
    world.act(404, "2.104", removeSecurityGroup={"name": "web"})
    world.act(404, "2.104", addSecurityGroup={"name": "none"})
