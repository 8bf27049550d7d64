"""Networks, subnets, what is seen of them, and lists."""

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.service.lab_networks.conftest import Api


def test_versions_need_no_token(api: "Api") -> None:
    reply = api.client.simulate_get("/")
    assert reply.json["versions"][0]["id"] == "v2.0"
    assert api.client.simulate_get("/v2.0/").status_code == 200
    assert api.client.simulate_get("/v2.0/networks").status_code == 401


def test_the_seed_can_be_sown_again(api: "Api") -> None:
    from kilonova.lab.networks.seed import seed  # noqa: PLC0415  # only here

    assert seed(api.lab, "demo")["private"] == api.private
    assert len(api.get("/networks")["networks"]) == 2
    assert len(api.get("/routers")["routers"]) == 1


def test_every_listed_extension_can_be_shown(api: "Api") -> None:
    found = api.get("/extensions")["extensions"]
    aliases = {e["alias"] for e in found}
    assert {"router", "security-group", "binding", "port-security", "external-net", "quotas"} <= aliases
    assert not {"dns-integration", "network-ip-availability"} & aliases
    for alias in aliases:
        assert api.get(f"/extensions/{alias}")["extension"]["alias"] == alias
    api.get("/extensions/nonsense", status=404)


def test_others_see_shared_and_external_networks_but_not_private_ones(api: "Api") -> None:
    own = api.make("network", name="mine", user="eve:eve")
    assert {n["name"] for n in api.get("/networks", user="bob:bob")["networks"]} == {"public", "private"}
    assert {n["name"] for n in api.get("/networks", user="eve:eve")["networks"]} == {"public", "private", "mine"}
    said = api.get(f"/networks/{own['id']}", user="bob:bob", status=404)
    assert said["NeutronError"]["type"] == "NetworkNotFound"
    assert {s["name"] for s in api.get("/subnets", user="bob:bob")["subnets"]} == {"private-subnet"}
    api.change("network", api.private, name="x", user="bob:bob", status=404)
    api.remove("network", api.private, user="bob:bob", status=404)


@pytest.mark.parametrize("key", ["shared", "router:external", "is_default"])
def test_only_admin_shares(api: "Api", key: str) -> None:
    assert api.make("network", **{key: True}, user="bob:bob", status=403)["type"] == "PolicyNotAuthorized"
    api.make("network", **{key: False}, user="bob:bob")
    api.make("network", project_id="other", user="bob:bob", status=403)
    assert api.make("network", project_id="other")["tenant_id"] == "other"


def test_a_reader_changes_nothing(api: "Api") -> None:
    headers = {"X-Auth-Token": "rita:demo", "X-Roles": "reader"}
    for method, path in (("POST", "/v2.0/networks"), ("PUT", f"/v2.0/networks/{api.private}")):
        reply = api.client.simulate_request(method, path, json={"network": {"name": "x"}}, headers=headers)
        assert reply.status_code == 403
    reply = api.client.simulate_delete(f"/v2.0/networks/{api.private}", headers=headers)
    assert reply.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"networks": []},
        {"network": 1},
        {"network": {"name": 5}},
        {"network": {"nonsense": 1}},
        {"network": {"mtu": 10}},
        {"network": {"admin_state_up": "maybe"}},
        {"network": {"availability_zone_hints": ["moon"]}},
        {"network": {}, "more": 1},
    ],
)
def test_bad_bodies_are_400(api: "Api", body: Any) -> None:
    api.call("POST", "/networks", body, status=400)
    assert len(api.get("/networks")["networks"]) == 2


def test_filters_fields_sorting_and_pages(api: "Api") -> None:
    for name in ("c", "a", "b"):
        api.make("network", name=name, description="mine")
    assert [n["name"] for n in api.get("/networks?description=mine&sort_key=name")["networks"]] == ["a", "b", "c"]
    assert api.get("/networks?name=a&name=b&fields=name")["networks"] == [{"name": "a"}, {"name": "b"}]
    assert [n["name"] for n in api.get("/networks?router:external=True")["networks"]] == ["public"]
    assert [n["name"] for n in api.get("/networks?shared=true")["networks"]] == ["private"]
    first = api.get("/networks?description=mine&sort_key=name&sort_dir=desc&limit=2")
    assert [n["name"] for n in first["networks"]] == ["c", "b"]
    link = first["networks_links"][0]
    assert link["rel"] == "next"
    rest = api.get(link["href"].split("/v2.0")[1])
    assert [n["name"] for n in rest["networks"]] == ["a"]
    assert "networks_links" not in rest
    for bad in ("color=red", "sort_key=color", "limit=x", "limit=-1", "marker=none", "sort_key=name&sort_dir=up"):
        api.get(f"/networks?{bad}", status=400)


def test_tags(api: "Api") -> None:
    base = f"/networks/{api.private}/tags"
    assert api.call("PUT", base, {"tags": ["b", "a", "a"]}) == {"tags": ["a", "b"]}
    api.call("PUT", f"{base}/c", status=201)
    api.call("GET", f"{base}/c", status=204)
    api.call("DELETE", f"{base}/a", status=204)
    api.call("DELETE", f"{base}/a", status=404)
    assert [n["name"] for n in api.get("/networks?tags=b,c")["networks"]] == ["private"]
    assert [n["name"] for n in api.get("/networks?not-tags-any=c,d")["networks"]] == ["public"]
    api.call("PUT", base, {"tags": [""]}, status=400)
    api.call("PUT", base, user="bob:bob", body={"tags": []}, status=404)
    api.call("DELETE", base, status=204)
    assert api.get(base) == {"tags": []}


def test_a_network_with_ports_stays_and_one_with_dhcp_alone_goes(api: "Api") -> None:
    subnet = api.subnet("10.50.0.0/24")
    port = api.make("port", network_id=subnet["network_id"])
    assert api.remove("network", subnet["network_id"], status=409)["type"] == "NetworkInUse"
    assert api.remove("subnet", subnet["id"], status=409)["type"] == "SubnetInUse"
    api.remove("port", port["id"])
    api.remove("network", subnet["network_id"])
    assert api.get(f"/ports?network_id={subnet['network_id']}")["ports"] == []
    api.get(f"/subnets/{subnet['id']}", status=404)


def test_a_shared_network_that_others_use_stays_shared(api: "Api") -> None:
    api.make("port", network_id=api.private, user="bob:bob")
    assert api.change("network", api.private, shared=False, status=409)["type"] == "InvalidSharedSetting"


def test_subnets_keep_off_each_other_and_off_the_host(api: "Api") -> None:
    assert "overlaps" in api.make("subnet", network_id=api.public, cidr="10.10.0.128/25", status=400)["message"]
    api.plumbing.networks.append(IPv4Network("192.168.7.0/24"))
    network = api.make("network")["id"]
    said = api.make("subnet", network_id=network, cidr="192.168.0.0/16", status=400)
    assert "this host uses itself" in said["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"cidr": "nonsense"}, 400),
        ({"cidr": "10.60.0.0/24", "ip_version": 6}, 400),
        ({"cidr": "10.60.0.0/24", "gateway_ip": "10.61.0.1"}, 400),
        ({"cidr": "10.60.0.0/24", "gateway_ip": "x"}, 400),
        ({"cidr": "10.60.0.0/24", "allocation_pools": [{"start": "10.60.0.2"}]}, 400),
        ({"cidr": "10.60.0.0/24", "allocation_pools": [{"start": "10.60.0.1", "end": "10.60.0.9"}]}, 409),
        ({"cidr": "10.60.0.0/24", "dns_nameservers": ["dns"]}, 400),
        ({"cidr": "10.60.0.0/24", "host_routes": [{"destination": "x", "nexthop": "10.60.0.9"}]}, 400),
        ({"cidr": "10.60.0.0/24", "subnetpool_id": "11111111-1111-4111-8111-111111111111"}, 400),
        ({}, 400),
    ],
)
def test_bad_subnets_are_refused_and_leave_nothing(api: "Api", body: dict[str, Any], status: int) -> None:
    network = api.make("network")["id"]
    api.make("subnet", network_id=network, **body, status=status)
    assert api.get(f"/networks/{network}")["network"]["subnets"] == []


def test_dhcp_has_a_port_exactly_while_a_subnet_wants_it(api: "Api") -> None:
    subnet = api.subnet("10.70.0.0/24", dns_nameservers=["9.9.9.9"])
    query = f"/ports?network_id={subnet['network_id']}&device_owner=network:dhcp"
    (port,) = api.get(query)["ports"]
    assert port["fixed_ips"][0]["ip_address"] == "10.70.0.2"
    assert port["status"] == "ACTIVE"
    (served,) = [d for d in api.plumbing.plan.dhcp if d.network_id == subnet["network_id"]]
    assert served.ranges[0].dns == ("9.9.9.9",)
    api.change("subnet", subnet["id"], enable_dhcp=False)
    assert api.get(query)["ports"] == []
    api.change("subnet", subnet["id"], enable_dhcp=True)
    assert len(api.get(query)["ports"]) == 1


def test_changing_a_gateway_that_a_router_has_is_refused(api: "Api") -> None:
    subnet = api.get("/subnets?name=private-subnet")["subnets"][0]
    assert api.change("subnet", subnet["id"], gateway_ip="10.10.0.254", status=409)["type"] == "GatewayIpInUse"


def test_agents_are_told_to_admins_and_honestly(api: "Api") -> None:
    (agent,) = api.get("/agents")["agents"]
    assert "not for production" in agent["agent_type"]
    assert agent["configurations"]["bridged_filter"] is True
    assert api.get(f"/agents/{agent['id']}")["agent"]["id"] == agent["id"]
    assert api.get("/agents?alive=false")["agents"] == []
    api.get("/agents", user="bob:bob", status=403)
    assert api.get("/subnetpools") == {"subnetpools": []}
    assert len(api.get("/availability_zones")["availability_zones"]) == 2


def test_old_clients_suffix_and_wrong_paths(api: "Api") -> None:
    assert len(api.get("/networks.json")["networks"]) == 2
    api.get("/nonsense", status=404)
    api.call("PATCH", "/networks", {}, status=404)


def test_the_auto_allocated_topology_is_made_once_and_removed(api: "Api") -> None:
    path = "/auto-allocated-topology"
    dry = api.get(f"{path}/bob?fields=dry-run", user="bob:bob")["auto_allocated_topology"]
    assert dry["id"] == "dry-run=pass"
    assert api.get("/networks?project_id=bob")["networks"] == []
    first = api.get(f"{path}/None", user="bob:bob")["auto_allocated_topology"]
    assert api.get(f"{path}/bob", user="bob:bob")["auto_allocated_topology"] == first
    port = api.make("port", network_id=first["id"], user="bob:bob")
    assert port["fixed_ips"][0]["ip_address"].startswith("10.42.0.")
    api.get(f"{path}/demo", user="bob:bob", status=403)
    api.remove("port", port["id"], user="bob:bob")
    api.call("DELETE", f"{path}/bob", user="bob:bob", status=204)
    assert api.get("/networks?project_id=bob")["networks"] == []
    assert api.get("/routers?project_id=bob")["routers"] == []
    api.change("network", api.public, is_default=False)
    assert api.get(f"{path}/bob?fields=dry-run", status=409)["NeutronError"]["type"] == "AutoAllocationFailure"


def test_quotas_are_enforced_per_project(api: "Api") -> None:
    assert api.get("/quotas/bob", user="bob:bob")["quota"]["network"] == 100
    api.call("PUT", "/quotas/bob", {"quota": {"network": 1}}, user="bob:bob", status=403)
    assert api.call("PUT", "/quotas/bob", {"quota": {"network": 1}})["quota"]["network"] == 1
    api.make("network", user="bob:bob")
    assert api.make("network", user="bob:bob", status=409)["type"] == "OverQuota"
    details = api.get("/quotas/bob/details", user="bob:bob")["quota"]["network"]
    assert details == {"limit": 1, "used": 1, "reserved": 0}
    assert api.get("/quotas/bob/default", user="bob:bob")["quota"]["network"] == 100
    api.get("/quotas/demo", user="bob:bob", status=403)
    api.call("PUT", "/quotas/bob", {"quota": {"cores": 1}}, status=400)
    api.call("DELETE", "/quotas/bob", status=204)
    api.make("network", user="bob:bob")
