from dataclasses import replace
from pathlib import Path

from kilonova.lab.networks import dhcp
from kilonova.lab.networks.plan import Dhcp, Lease, Range

SUBNET = Range(
    subnet_id="11112222-3333-4444-8555-666666666666",
    cidr="10.0.0.0/24",
    server="10.0.0.2",
    gateway="10.0.0.1",
    dns=(),
    routes=(("10.9.0.0/16", "10.0.0.9"),),
)
GUEST = Lease("fa:16:3e:00:00:01", "10.0.0.5", "web1")
PLAN = Dhcp("net", "kn-net", 1400, (SUBNET,), (GUEST,))


def _lines(plan: Dhcp) -> list[str]:
    return dhcp.configuration(plan, Path("/state/net"), user="root", lease_seconds=600).splitlines()


def test_only_known_guests_are_served_on_the_network_s_bridge_alone() -> None:
    lines = _lines(PLAN)
    assert "interface=kn-net" in lines
    assert "except-interface=lo" in lines
    assert "bind-interfaces" in lines
    assert "dhcp-range=set:s11112222,10.0.0.0,static,255.255.255.0,600s" in lines
    assert "dhcp-option=option:mtu,1400" in lines


def test_classless_routes_carry_metadata_host_routes_and_the_default() -> None:
    wanted = "169.254.169.254/32,10.0.0.2,10.9.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1"
    assert f"dhcp-option=tag:s11112222,option:classless-static-route,{wanted}" in _lines(PLAN)
    assert "dhcp-option=tag:s11112222,option:router,10.0.0.1" in _lines(PLAN)


def test_a_subnet_without_gateway_sends_no_router() -> None:
    lines = _lines(replace(PLAN, ranges=(replace(SUBNET, gateway=None, routes=()),)))
    assert "dhcp-option=tag:s11112222,option:router" in lines
    assert "dhcp-option=tag:s11112222,option:classless-static-route,169.254.169.254/32,10.0.0.2" in lines


def test_dns_is_the_subnet_s_or_ours() -> None:
    assert "dhcp-option=tag:s11112222,option:dns-server,10.0.0.2" in _lines(PLAN)
    named = replace(PLAN, ranges=(replace(SUBNET, dns=("1.1.1.1", "9.9.9.9")),))
    assert "dhcp-option=tag:s11112222,option:dns-server,1.1.1.1,9.9.9.9" in _lines(named)


def test_hosts_and_names() -> None:
    assert dhcp.hosts(PLAN) == "fa:16:3e:00:00:01,10.0.0.5,web1\n"
    assert dhcp.names(PLAN) == "10.0.0.5 web1\n"


def test_a_lease_of_another_mac_goes_when_the_address_has_a_new_owner() -> None:
    text = "99 fa:16:3e:00:00:09 10.0.0.5 old *\n99 fa:16:3e:00:00:08 10.0.0.6 free *\nduid 00:01\n"
    assert dhcp.live_leases(text, [GUEST]) == "99 fa:16:3e:00:00:08 10.0.0.6 free *\nduid 00:01\n"
    assert dhcp.live_leases(text, []) == text
