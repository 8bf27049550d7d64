"""What the network service reports about servers, and what comes of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.cloud import Cloud, running, wait_for

from kilonova.domain.power import PowerState

NOWHERE = "99999999-9999-9999-9999-999999999999"


@pytest.fixture
def cloud(tmp_path: Any) -> Iterator[Cloud]:
    with running(
        tmp_path, DEFAULT={"host": "host1", "compute_driver": "fake.FakeDriver", "vif_plugging_timeout": 5}
    ) as c:
        c.flavor()
        yield c


def report(cloud: Cloud, *events: dict[str, Any], version: str = "2.1", token: str = "admin:admin") -> Any:
    return cloud.call("POST", "/os-server-external-events", {"events": list(events)}, version=version, token=token)


def with_network(cloud: Cloud) -> tuple[dict[str, Any], str]:
    network = cloud.network_api.network("private", "project")
    return cloud.boot(networks=[{"uuid": network}]), network


def test_network_changed_brings_new_addresses(cloud: Cloud) -> None:
    server, network = with_network(cloud)
    before = cloud.show(server["id"]).json["server"]
    port = cloud.network_api.rows("ports", [("device_id", server["id"])])[0]
    cloud.network_api.floating_ip("203.0.113.5", port["id"])
    event = {"name": "network-changed", "server_uuid": server["id"], "tag": port["id"]}
    reply = report(cloud, event)
    assert reply.status_code == 200
    assert reply.json["events"] == [{**event, "status": "completed", "code": 200}]
    wait_for(lambda: "203.0.113.5" in cloud.show(server["id"]).text)
    after = cloud.show(server["id"]).json["server"]
    assert after["addresses"]["private"][1]["OS-EXT-IPS:type"] == "floating"
    assert after["OS-EXT-STS:task_state"] is None
    assert after["updated"] == before["updated"]
    actions = cloud.call("GET", f"/servers/{server['id']}/os-instance-actions").json["instanceActions"]
    assert [entry["action"] for entry in actions] == ["create"]
    assert network


def test_a_deleted_port_goes(cloud: Cloud) -> None:
    server, _network = with_network(cloud)
    port = cloud.network_api.rows("ports", [("device_id", server["id"])])[0]["id"]
    cloud.network_api.delete("ports", port)
    report(cloud, {"name": "network-vif-deleted", "server_uuid": server["id"], "tag": port})
    wait_for(lambda: cloud.show(server["id"]).json["server"]["addresses"] == {})


def test_codes_of_single_events(cloud: Cloud) -> None:
    server = cloud.boot()
    good = {"name": "network-changed", "server_uuid": server["id"]}
    reply = report(cloud, good, {"name": "network-changed", "server_uuid": NOWHERE})
    assert reply.status_code == 207
    assert [(e["code"], e["status"]) for e in reply.json["events"]] == [(200, "completed"), (404, "failed")]
    power = report(cloud, {"name": "power-update", "server_uuid": server["id"], "tag": "POWER_ON"}, version="2.76")
    assert power.status_code == 207
    assert power.json["events"][0]["code"] == 422


@pytest.mark.parametrize(
    ("name", "since"),
    [("volume-extended", 51), ("power-update", 76), ("accelerator-request-bound", 82), ("volume-reimaged", 93)],
)
def test_names_by_version(cloud: Cloud, name: str, since: int) -> None:
    event = {"name": name, "server_uuid": NOWHERE}
    assert report(cloud, event, version=f"2.{since - 1}").status_code == 400
    assert report(cloud, event, version=f"2.{since}").status_code == 207


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"name": "network-changed"},
        {"name": "test-event", "server_uuid": NOWHERE},
        {"name": "network-changed", "server_uuid": "x"},
        {"name": "network-changed", "server_uuid": NOWHERE, "status": "good"},
        {"name": "network-changed", "server_uuid": NOWHERE, "more": 1},
    ],
)
def test_bad_events_are_400(cloud: Cloud, event: dict[str, Any]) -> None:
    assert report(cloud, event).status_code == 400


def test_no_events_and_no_right(cloud: Cloud) -> None:
    assert report(cloud).status_code == 400
    assert report(cloud, {"name": "network-changed", "server_uuid": NOWHERE}, token="user:project").status_code == 403


def test_a_build_waits_for_its_ports(cloud: Cloud) -> None:
    cloud.network_api.wires_late = True
    network = cloud.network_api.network("private", "project")
    server = cloud.boot(networks=[{"uuid": network}], wait=False)
    wait_for(lambda: server["id"] in cloud.tools.doorbell._waiting)
    assert cloud.show(server["id"]).json["server"]["status"] == "BUILD"
    state = cloud.hosts["host1"].driver.state
    assert state(server["id"]).power is PowerState.PAUSED  # it asks for no address before somebody can answer
    port = cloud.network_api.wire(server["id"])
    report(cloud, {"name": "network-vif-plugged", "server_uuid": server["id"], "tag": port})
    built = cloud.until(server["id"], "ACTIVE", 1.5)  # sooner than the next look at Neutron
    assert (built["OS-EXT-STS:power_state"], state(server["id"]).power) == (1, PowerState.RUNNING)


def test_ports_that_never_come_fail_the_build(cloud: Cloud) -> None:
    cloud.network_api.wires_late = True
    object.__setattr__(cloud.tools.options, "vif_plugging_timeout", 1)
    network = cloud.network_api.network("private", "project")
    server = cloud.boot(networks=[{"uuid": network}], wait=False)
    failed = cloud.until(server["id"], "ERROR")
    assert "are not active after 1 seconds" in failed["fault"]["message"]
    assert cloud.network_api.rows("ports", [("device_id", server["id"])]) == []


def test_security_groups_of_a_server(cloud: Cloud) -> None:
    web = cloud.network_api.security_group("web", "project")
    cloud.network_api.update("security_groups", web, {"description": "for the web"})
    rules: list[dict[str, Any]] = [
        {"direction": "egress"},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80},
        {"direction": "ingress", "remote_group_id": web},
    ]
    cloud.network_api.create("security_group_rules", [{"security_group_id": web, **rule} for rule in rules])
    network = cloud.network_api.network("private", "project")
    server = cloud.boot(networks=[{"uuid": network}], security_groups=[{"name": "web"}])
    reply = cloud.call("GET", f"/servers/{server['id']}/os-security-groups")
    assert reply.status_code == 200
    (group,) = reply.json["security_groups"]
    assert (group["id"], group["description"], group["tenant_id"]) == (web, "for the web", "project")
    first, second = group["rules"]
    assert (first["ip_protocol"], first["from_port"], first["ip_range"]) == ("tcp", 80, {"cidr": "0.0.0.0/0"})
    assert (second["group"], second["ip_range"]) == ({"name": "web", "tenant_id": "project"}, {})
    path = f"/servers/{server['id']}/os-security-groups"
    assert cloud.call("GET", path, token="other:elsewhere").status_code == 404
    assert cloud.call("GET", path + "?x=1", version="2.101").status_code == 200
    assert (
        cloud.client.simulate_get(
            "/v2.1" + path,
            query_string="x=1",
            headers={"X-Auth-Token": "u:project", "OpenStack-API-Version": "compute 2.102"},
        ).status_code
        == 400
    )
