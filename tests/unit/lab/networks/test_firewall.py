from dataclasses import replace

import pytest

from kilonova.lab.networks import firewall
from kilonova.lab.networks.plan import Bridge, Floating, Group, GuestPort, HostPlan, Router, Rule

OUT = Rule(incoming=False, protocol=None, low=None, high=None, remote=None, remote_group=None)
PORT = GuestPort("aa-1", "tapaa-1", "fa:16:3e:00:00:01", ("10.0.0.5",), (), ("gg-1",), up=True)
PLAN = HostPlan(
    bridges=(Bridge("kn-in", "in", 1500, ("10.0.0.1/24",)), Bridge("kn-out", "out", 1500, ("172.24.4.1/24",))),
    ports=(PORT,),
    groups=(Group("gg-1", (OUT,), ("10.0.0.5",)),),
    external=("kn-out",),
)
ROUTED = replace(PLAN, routers=(Router("r", (("kn-in", "10.0.0.0/24"),), ("kn-out", "172.24.4.5"), snat=True),))


def _script(plan: HostPlan) -> str:
    return firewall.script(plan, anti_spoofing=True)


def _chain(text: str, name: str) -> list[str]:
    body = text.split(f"chain {name} {{", 1)[1].split("\n}", 1)[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def _rule(**changes: object) -> Rule:
    return replace(OUT, incoming=True, **changes)  # type: ignore[arg-type]  # fields of a table of cases


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (_rule(), "return"),
        (_rule(remote="0.0.0.0/0", protocol="icmp"), "meta l4proto icmp return"),
        (_rule(protocol="icmp", low=8), "icmp type 8 return"),
        (_rule(protocol="icmp", low=3, high=4), "icmp type 3 icmp code 4 return"),
        (_rule(protocol="tcp", low=22, high=22), "tcp dport 22 return"),
        (_rule(protocol="udp", low=5, high=9, remote="10.9.0.0/16"), "ip saddr 10.9.0.0/16 udp dport 5-9 return"),
        (_rule(protocol="tcp"), "meta l4proto tcp return"),
        (_rule(protocol="112"), "meta l4proto 112 return"),
        (_rule(protocol="vrrp"), "meta l4proto 112 return"),
        (_rule(remote_group="gg-1"), "ip saddr @g_gg1 return"),
    ],
)
def test_a_rule_in_nftables_words(rule: Rule, wanted: str) -> None:
    plan = replace(PLAN, groups=(Group("gg-1", (rule,), ()),))
    assert _chain(_script(plan), "in_aa1") == [wanted, "drop"]
    assert _chain(_script(plan), "out_aa1") == ["drop"]


def test_an_ipv6_protocol_lets_nothing_in() -> None:
    plan = replace(PLAN, groups=(Group("gg-1", (_rule(protocol="ipv6-icmp"),), ()),))
    assert _chain(_script(plan), "in_aa1") == ["drop"]


def test_a_port_that_is_down_is_shut_both_ways() -> None:
    text = _script(replace(PLAN, ports=(replace(PORT, up=False),)))
    assert _chain(text, "out_aa1") == ["drop"]


def test_bridges_are_joined_and_translated_only_by_a_router() -> None:
    assert '"kn-in" . "kn-out"' not in _script(PLAN)
    assert "snat" not in _script(PLAN)
    text = _script(ROUTED)
    assert '"kn-in" . "kn-out"' in text
    assert '"kn-out" . "kn-in"' not in text, "nothing comes in without a floating IP"
    assert 'oifname "kn-out" ip saddr 10.0.0.0/24 snat ip to 172.24.4.5' in text
    assert 'iifname "kn-in" oifname != "kn-*" ip saddr 10.0.0.0/24 masquerade' in text


def test_a_floating_ip_is_led_both_ways() -> None:
    text = _script(replace(ROUTED, floatings=(Floating("172.24.4.9", "kn-out", "10.0.0.5"),)))
    assert "172.24.4.9 : 10.0.0.5" in text
    assert '"kn-out" . "kn-in"' in text
    assert 'oifname "kn-out" ip saddr 10.0.0.5 snat ip to 172.24.4.9' in text


def test_a_tap_may_send_only_what_is_its_own() -> None:
    lines = _chain(_script(PLAN), "from_aa1")
    assert lines[0] == "ether saddr != { fa:16:3e:00:00:01 } drop"
    assert "ether type ip ip saddr { 10.0.0.5 } accept" in lines
    assert lines[-1] == "drop"
    assert "table bridge" not in firewall.script(PLAN, anti_spoofing=False)


def test_an_address_pair_may_be_used_too() -> None:
    pairs = (("fa:16:3e:00:00:02", "10.0.0.4/31"), ("fa:16:3e:00:00:01", "10.0.0.9"))
    lines = _chain(_script(replace(PLAN, ports=(replace(PORT, pairs=pairs),))), "from_aa1")
    assert lines[0] == "ether saddr != { fa:16:3e:00:00:01, fa:16:3e:00:00:02 } drop"
    assert "ether type ip ip saddr { 10.0.0.4/31, 10.0.0.9/32 } accept" in lines


def test_ports_without_addresses_and_empty_plans_are_written_without_empty_braces() -> None:
    bare = replace(PORT, addresses=(), groups=())
    for plan in (HostPlan(), replace(PLAN, ports=(bare,))):
        assert "{  }" not in _script(plan)


def test_removal_names_both_tables() -> None:
    assert "delete table bridge kilonova" in firewall.removal(anti_spoofing=True)
    assert "bridge" not in firewall.removal(anti_spoofing=False)
