from typing import Any

from kilonova.lab.networks.plan import Lease, plan_of

NET = "11111111-1111-4111-8111-111111111111"
EXT = "22222222-2222-4222-8222-222222222222"


def _network(network_id: str, *, external: bool = False) -> dict[str, Any]:
    return {"id": network_id, "mtu": 1500, "router:external": external}


def _subnet(subnet_id: str, network_id: str, prefix: str, *, dhcp: bool = True) -> dict[str, Any]:
    return {
        "id": subnet_id,
        "network_id": network_id,
        "cidr": f"{prefix}.0/24",
        "gateway_ip": f"{prefix}.1",
        "enable_dhcp": dhcp,
        "dns_nameservers": [],
        "host_routes": [],
    }


def _port(port_id: str, network_id: str, subnet_id: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "id": port_id,
        "network_id": network_id,
        "mac_address": "fa:16:3e:00:00:01",
        "fixed_ips": [{"subnet_id": subnet_id, "ip_address": address}],
        "device_owner": "compute:nova",
        "device_id": "server",
        "security_groups": [],
        "port_security_enabled": True,
        "allowed_address_pairs": [],
        "admin_state_up": True,
        **more,
    }


def _documents() -> dict[str, list[dict[str, Any]]]:
    return {
        "network": [_network(NET), _network(EXT, external=True)],
        "subnet": [_subnet("s1", NET, "10.0.0"), _subnet("s2", EXT, "172.24.4", dhcp=False)],
        "port": [
            _port("dhcp", NET, "s1", "10.0.0.2", device_owner="network:dhcp"),
            _port("guest-0000000", NET, "s1", "10.0.0.5", dns_name="web1"),
        ],
    }


def _router(documents: dict[str, list[dict[str, Any]]]) -> None:
    inner = _port("ri", NET, "s1", "10.0.0.1", device_owner="network:router_interface", device_id="r1")
    outer = _port("rg", EXT, "s2", "172.24.4.5", device_owner="network:router_gateway", device_id="r1")
    documents["port"] += [inner, outer]
    gateway = {"network_id": EXT, "enable_snat": True, "external_fixed_ips": outer["fixed_ips"]}
    documents["router"] = [{"id": "r1", "admin_state_up": True, "external_gateway_info": gateway}]


def test_nothing_makes_an_empty_plan() -> None:
    plan = plan_of({}, 9697)
    assert (plan.bridges, plan.dhcp, plan.ports, plan.routers) == ((), (), (), ())


def test_the_host_answers_as_gateway_and_dhcp_server() -> None:
    inner, outer = plan_of(_documents(), 9697).bridges
    assert inner.name == "kn-11111111-11"
    assert inner.addresses == ("10.0.0.1/24", "10.0.0.2/24")
    assert outer.addresses == ("172.24.4.1/24",)


def test_a_guest_that_is_the_gateway_keeps_its_address_to_itself() -> None:
    documents = _documents()
    documents["port"].append(_port("gw", NET, "s1", "10.0.0.1"))
    assert plan_of(documents, 9697).bridges[0].addresses == ("10.0.0.2/24",)


def test_guests_are_known_to_dhcp_by_name() -> None:
    (served,) = plan_of(_documents(), 9697).dhcp
    assert served.leases == (Lease("fa:16:3e:00:00:01", "10.0.0.5", "web1"),)
    assert served.ranges[0].server == "10.0.0.2"


def test_a_router_with_gateway() -> None:
    documents = _documents()
    _router(documents)
    plan = plan_of(documents, 9697)
    assert plan.routers[0].inside == (("kn-11111111-11", "10.0.0.0/24"),)
    assert plan.routers[0].outside == ("kn-22222222-22", "172.24.4.5")
    assert "172.24.4.5/32" in plan.bridges[1].addresses
    documents["router"][0]["admin_state_up"] = False
    assert plan_of(documents, 9697).routers == ()


def test_ports_without_port_security_have_no_rules() -> None:
    documents = _documents()
    documents["port"][1]["port_security_enabled"] = False
    plan = plan_of(documents, 9697)
    assert plan.ports == ()
    assert plan.open_ports == ("10.0.0.5",)
