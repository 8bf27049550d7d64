"""Ports, security groups, routers, floating IPs."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.service.lab_networks.conftest import Api

BOUND: dict[str, Any] = {"device_id": "server", "device_owner": "compute:nova", "binding:host_id": "lab"}


def test_a_port_is_bound_to_the_bridge_and_active_at_once(api: "Api") -> None:
    port = api.make("port", network_id=api.private, **BOUND)
    assert port["status"] == "ACTIVE"
    assert port["binding:vif_type"] == "bridge"
    assert port["binding:vif_details"]["bridge_name"] == f"kn-{api.private[:11]}"
    assert port["binding:vif_details"]["port_filter"] is True
    assert port["mac_address"].startswith("fa:16:3e:")
    assert port["revision_number"] == 0
    assert [p.port_id for p in api.plumbing.plan.ports] == [port["id"]]
    released: dict[str, Any] = {"binding:host_id": "", "device_id": "", "device_owner": ""}
    freed = api.change("port", port["id"], **released)
    assert (freed["binding:vif_type"], freed["status"], freed["revision_number"]) == ("unbound", "DOWN", 1)


def test_a_user_does_not_see_or_set_bindings(api: "Api") -> None:
    port = api.make("port", network_id=api.private, user="bob:bob")
    assert "binding:host_id" not in port
    assert port["binding:vnic_type"] == "normal"
    denied: dict[str, Any] = {"binding:host_id": "h"}
    assert api.change("port", port["id"], **denied, user="bob:bob", status=403)["type"] == "PolicyNotAuthorized"
    assert api.change("port", port["id"], **denied)["binding:vif_type"] == "bridge"


def test_what_belongs_to_the_network_s_owner(api: "Api") -> None:
    bodies: list[dict[str, Any]] = [
        {"mac_address": "fa:16:3e:00:00:01"},
        {"port_security_enabled": False},
        {"device_owner": "network:dhcp"},
        {"allowed_address_pairs": [{"ip_address": "10.10.0.9"}]},
    ]
    for body in bodies:
        api.make("port", network_id=api.private, **body, user="bob:bob", status=403)
    own = api.make("network", user="bob:bob")["id"]
    assert api.make("port", network_id=own, mac_address="FA-16-3E-00-00-01", user="bob:bob")["fixed_ips"] == []


def test_a_network_that_cannot_be_plumbed_fails_the_binding_and_heals(api: "Api") -> None:
    api.plumbing.fail[api.private] = "no bridge today"
    port = api.make("port", network_id=api.private, **BOUND)
    assert (port["binding:vif_type"], port["status"]) == ("binding_failed", "DOWN")
    api.plumbing.fail.clear()
    api.lab.sync()
    assert api.get(f"/ports/{port['id']}")["port"]["status"] == "ACTIVE"


def test_a_host_that_refuses_leaves_nothing_written(api: "Api") -> None:
    api.plumbing.broken = "nft is gone"
    said = api.make("port", network_id=api.private, status=503)
    assert "nft is gone" in said["message"]
    api.plumbing.broken = None
    assert api.get("/ports?device_owner=compute:nova")["ports"] == []
    assert len(api.get(f"/ports?network_id={api.private}")["ports"]) == 2


def test_names_alone_do_not_touch_the_host(api: "Api") -> None:
    port = api.make("port", network_id=api.private)
    applied = api.plumbing.applied
    api.change("port", port["id"], name="x", description="y")
    assert api.plumbing.applied == applied


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"fixed_ips": [{"ip_address": "10.10.0.1"}]}, 409, "IpAddressAlreadyAllocated"),
        ({"fixed_ips": [{"ip_address": "10.99.0.5"}]}, 400, "InvalidIpForNetwork"),
        ({"fixed_ips": [{"ip_address": "10.10.0.255"}]}, 400, "InvalidIpForNetwork"),
        ({"fixed_ips": [{"ip_address": "five"}]}, 400, "InvalidInput"),
        ({"fixed_ips": [{"subnet_id": "11111111-1111-4111-8111-111111111111"}]}, 400, "InvalidInput"),
        ({"fixed_ips": [{}]}, 400, "InvalidInput"),
        ({"mac_address": "01:00:00:00:00:01"}, 400, "InvalidInput"),
        ({"security_groups": ["11111111-1111-4111-8111-111111111111"]}, 404, "SecurityGroupNotFound"),
        ({"network_id": "11111111-1111-4111-8111-111111111111"}, 404, "NetworkNotFound"),
        ({"network_id": "private"}, 400, "InvalidInput"),
        ({"dns_name": "a b\nc"}, 400, "InvalidInput"),
        ({"allowed_address_pairs": [{"ip_address": "x"}]}, 400, "InvalidInput"),
        ({"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.10.0.9"}]}, 409, None),
        ({"binding:vnic_type": "smoke"}, 400, "InvalidInput"),
    ],
)
def test_bad_ports_are_refused_and_leave_nothing(api: "Api", body: dict[str, Any], status: int, kind: str) -> None:
    said = api.make("port", **{"network_id": api.private, **body}, status=status)
    assert kind is None or said["type"] == kind
    assert len(api.get(f"/ports?network_id={api.private}")["ports"]) == 2


def test_security_groups_need_port_security(api: "Api") -> None:
    group = api.get("/security-groups?name=default")["security_groups"][0]["id"]
    off: dict[str, Any] = {"network_id": api.private, "port_security_enabled": False}
    said = api.make("port", **off, security_groups=[group], status=400)
    assert said["type"] == "PortSecurityAndIPRequiredForSecurityGroups"
    assert api.make("port", **off)["security_groups"] == []
    port = api.make("port", network_id=api.private)
    said = api.change("port", port["id"], port_security_enabled=False, status=409)
    assert said["type"] == "PortSecurityPortHasSecurityGroup"
    api.change("port", port["id"], port_security_enabled=False, security_groups=[])


def test_addresses_are_unique_however_many_ask_at_once(api: "Api") -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: api.make("port", network_id=api.private), range(40)))
    found = {p["fixed_ips"][0]["ip_address"] for p in made}
    assert len(found) == 40
    wanted = {"fixed_ips": [{"ip_address": "10.10.0.200"}]}

    def race(_: int) -> int:
        body = {"port": {"network_id": api.private, **wanted}}
        headers = {"X-Auth-Token": "admin:demo"}
        return int(api.client.simulate_post("/v2.0/ports", json=body, headers=headers).status_code)

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(race, range(8)))
    assert statuses == [201, *[409] * 7]


def test_a_full_subnet_says_so(api: "Api") -> None:
    subnet = api.subnet("10.80.0.0/30", enable_dhcp=False)
    api.make("port", network_id=subnet["network_id"])
    said = api.make("port", network_id=subnet["network_id"], status=409)
    assert said["type"] == "IpAddressGenerationFailure"


def test_bulk_is_all_or_nothing(api: "Api") -> None:
    good = {"network_id": api.private}
    bad = {"network_id": api.private, "fixed_ips": [{"ip_address": "10.10.0.1"}]}
    api.call("POST", "/ports", {"ports": [good, bad]}, status=409)
    assert len(api.get(f"/ports?network_id={api.private}")["ports"]) == 2
    assert len(api.call("POST", "/ports", {"ports": [good, good]}, status=201)["ports"]) == 2


def test_fixed_ips_change_and_filter(api: "Api") -> None:
    port = api.make("port", network_id=api.private, fixed_ips=[{"ip_address": "10.10.0.50"}])
    changed = api.change("port", port["id"], fixed_ips=[{"ip_address": "10.10.0.51"}])
    assert [e["ip_address"] for e in changed["fixed_ips"]] == ["10.10.0.51"]
    for query, found in (
        ("fixed_ips=ip_address=10.10.0.51", 1),
        ("fixed_ips=ip_address=10.10.0.50", 0),
        ("fixed_ips=ip_address_substr=0.51", 1),
        (f"fixed_ips=subnet_id={changed['fixed_ips'][0]['subnet_id']}&fixed_ips=ip_address=10.10.0.51", 1),
        (f"id={port['id']}&id={api.private}", 1),
        (f"security_groups={port['security_groups'][0]}", 1),
        ("device_id=nobody", 0),
    ):
        assert len(api.get(f"/ports?{query}")["ports"]) == found, query
    again = api.change("port", port["id"], fixed_ips=[{"subnet_id": changed["fixed_ips"][0]["subnet_id"]}])
    assert again["fixed_ips"] == changed["fixed_ips"], "an address that may stay does"


def test_mac_addresses_are_unique_on_a_network_and_stay_while_bound(api: "Api") -> None:
    mac = "fa:16:3e:aa:bb:cc"
    port = api.make("port", network_id=api.private, mac_address=mac, **BOUND)
    assert api.make("port", network_id=api.private, mac_address=mac.upper(), status=409)["type"] == "MacAddressInUse"
    said = api.change("port", port["id"], mac_address="fa:16:3e:aa:bb:cd", status=409)
    assert said["type"] == "PortBound"


def test_the_default_group_of_a_project_is_there_at_first_sight(api: "Api") -> None:
    (group,) = api.get("/security-groups", user="zoe:zoe")["security_groups"]
    assert group["name"] == "default"
    rules = {(r["direction"], r["ethertype"], r["remote_group_id"]) for r in group["security_group_rules"]}
    assert rules == {
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group["id"]),
        ("ingress", "IPv6", group["id"]),
    }
    assert len(api.get("/security-group-rules", user="zoe:zoe")["security_group_rules"]) == 4
    said = api.remove("security_group", group["id"], user="zoe:zoe", status=409)
    assert said["type"] == "SecurityGroupCannotRemoveDefault"
    api.change("security_group", group["id"], name="other", user="zoe:zoe", status=409)
    api.make("security_group", name="default", user="zoe:zoe", status=409)


def test_groups_and_rules(api: "Api") -> None:
    group = api.make("security_group", name="web", user="bob:bob")
    assert len(group["security_group_rules"]) == 2
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    ports = {"port_range_min": 80, "port_range_max": 80}
    made = api.make("security_group_rule", **rule, **ports, user="bob:bob")
    said = api.make("security_group_rule", **rule, **ports, user="bob:bob", status=409)
    assert said["type"] == "SecurityGroupRuleExists"
    for bad in (
        {"protocol": "smoke"},
        {"direction": "up"},
        {"remote_ip_prefix": "x"},
        {"remote_ip_prefix": "10.0.0.0/8; drop"},
        {"ethertype": "IPv6", "remote_ip_prefix": "a:b"},
        {"port_range_min": 70000},
        {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": group["id"]},
    ):
        api.make("security_group_rule", **{**rule, **bad}, user="bob:bob", status=400)
    api.make("security_group_rule", **rule, user="eve:eve", status=404)
    port = api.make("port", network_id=api.private, security_groups=[group["id"]], user="bob:bob")
    assert api.remove("security_group", group["id"], user="bob:bob", status=409)["type"] == "SecurityGroupInUse"
    api.remove("security_group_rule", made["id"], user="bob:bob")
    api.remove("port", port["id"], user="bob:bob")
    api.remove("security_group", group["id"], user="bob:bob")
    assert api.get(f"/security-group-rules?security_group_id={group['id']}", user="bob:bob") == {
        "security_group_rules": []
    }


def test_a_router_s_life(api: "Api") -> None:
    subnet = api.subnet("10.90.0.0/24")
    router = api.make("router", name="r", external_gateway_info={"network_id": api.public})
    path = f"/routers/{router['id']}"
    assert router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"].startswith("172.24.4.")
    added = api.call("PUT", f"{path}/add_router_interface", {"subnet_id": subnet["id"]})
    assert added["subnet_ids"] == [subnet["id"]]
    api.call("PUT", f"{path}/add_router_interface", {"subnet_id": subnet["id"]}, status=400)
    api.call("PUT", f"{path}/add_router_interface", {}, status=400)
    port = api.get(f"/ports/{added['port_id']}")["port"]
    assert (port["device_owner"], port["fixed_ips"][0]["ip_address"]) == ("network:router_interface", "10.90.0.1")
    assert api.remove("port", port["id"], status=409)["type"] == "ServicePortInUse"
    assert api.remove("router", router["id"], status=409)["type"] == "RouterInUse"
    assert any(r.id == router["id"] and r.inside and r.outside for r in api.plumbing.plan.routers)
    other = {"subnet_id": "11111111-1111-4111-8111-111111111111"}
    api.call("PUT", f"{path}/remove_router_interface", other, status=404)
    api.call("PUT", f"{path}/remove_router_interface", {"subnet_id": subnet["id"]})
    api.change("router", router["id"], external_gateway_info=None)
    api.remove("router", router["id"])
    assert api.get(f"/ports?device_id={router['id']}")["ports"] == []


def test_a_router_interface_by_port(api: "Api") -> None:
    subnet = api.subnet("10.91.0.0/24")
    port = api.make("port", network_id=subnet["network_id"])
    router = api.make("router")
    path = f"/routers/{router['id']}"
    api.call("PUT", f"{path}/add_router_interface", {"port_id": port["id"]})
    api.call("PUT", f"{path}/add_router_interface", {"port_id": port["id"]}, status=409)
    api.call("PUT", f"{path}/remove_router_interface", {"port_id": port["id"]})
    api.get(f"/ports/{port['id']}", status=404)


def test_a_gateway_must_be_external(api: "Api") -> None:
    api.make("router", external_gateway_info={"network_id": api.private}, status=400)
    api.make("router", external_gateway_info={"enable_snat": True}, status=400)


def test_a_floating_ip_s_life(api: "Api") -> None:
    port = api.make("port", network_id=api.private, **BOUND)
    floating = api.make("floatingip", floating_network_id=api.public)
    assert (floating["status"], floating["port_id"]) == ("DOWN", None)
    led = api.change("floatingip", floating["id"], port_id=port["id"])
    assert led["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert (led["status"], led["router_id"]) == ("ACTIVE", api.seeded["router1"])
    assert led["port_details"]["device_id"] == "server"
    assert api.plumbing.plan.floatings[0].fixed == led["fixed_ip_address"]
    second = api.make("floatingip", floating_network_id=api.public, port_id=port["id"], status=409)
    assert second["type"] == "FloatingIPPortAlreadyAssociated"
    subnet = api.get("/subnets?name=private-subnet")["subnets"][0]["id"]
    path = f"/routers/{api.seeded['router1']}/remove_router_interface"
    api.call("PUT", path, {"subnet_id": subnet}, status=409)
    api.change("router", api.seeded["router1"], external_gateway_info=None, status=409)
    api.remove("port", port["id"])
    assert api.get(f"/floatingips/{floating['id']}")["floatingip"]["port_id"] is None
    assert api.plumbing.plan.floatings == ()
    api.remove("floatingip", floating["id"])
    assert api.get(f"/ports?device_id={floating['id']}")["ports"] == []


def test_floating_ips_need_an_external_network_and_a_way(api: "Api") -> None:
    api.make("floatingip", floating_network_id=api.private, status=400)
    taken = api.make("floatingip", floating_network_id=api.public, floating_ip_address="172.24.4.77")
    assert taken["floating_ip_address"] == "172.24.4.77"
    api.make("floatingip", floating_network_id=api.public, floating_ip_address="172.24.4.77", status=409)
    lonely = api.make("port", network_id=api.subnet("10.92.0.0/24")["network_id"])
    said = api.make("floatingip", floating_network_id=api.public, port_id=lonely["id"], status=404)
    assert said["type"] == "ExternalGatewayForFloatingIPNotFound"
    assert len(api.get("/floatingips")["floatingips"]) == 1


def test_lists_cost_a_constant_number_of_statements(api: "Api") -> None:
    def cost() -> int:
        with api.lab.store.database.statements.watch() as seen:
            api.get("/ports")
            api.get("/networks")
            api.get("/security-groups")
        return len(seen)

    few = cost()
    for _ in range(5):
        api.make("port", network_id=api.private)
        api.make("security_group", name="g")
        api.make("network")
    assert cost() == few
