"""One suite over the plumbing that pretends and the one of a Linux host (which needs root)."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kilonova.lab.networks.linux import LinuxPlumbing
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plan import (
    Bridge,
    Dhcp,
    Floating,
    Group,
    GuestPort,
    HostPlan,
    Lease,
    Range,
    Router,
    Rule,
)
from kilonova.lab.networks.plumbing import Abilities, FakePlumbing, Plumbing

_CLONE_NEWNET = 0x40000000
INNER, OUTER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
_RULES = tuple(
    Rule(incoming=incoming, protocol=protocol, low=low, high=high, remote=remote, remote_group=group)
    for incoming in (True, False)
    for protocol, low, high in ((None, None, None), ("tcp", 1, 9), ("udp", 5, 5), ("icmp", 3, 4), ("vrrp", None, None))
    for remote, group in ((None, None), ("10.0.0.0/8", None), (None, "g1"))
)
PLAN = HostPlan(
    bridges=(
        Bridge("kn-11111111-11", INNER, 1450, ("10.77.0.1/24", "10.77.0.2/24")),
        Bridge("kn-22222222-22", OUTER, 1500, ("172.29.4.1/24", "172.29.4.5/32", "172.29.4.9/32")),
    ),
    dhcp=(
        Dhcp(
            INNER,
            "kn-11111111-11",
            1450,
            (Range("s1", "10.77.0.0/24", "10.77.0.2", "10.77.0.1", ("9.9.9.9",), (("10.9.0.0/16", "10.77.0.9"),)),),
            (Lease("fa:16:3e:00:00:01", "10.77.0.5", "web1"),),
        ),
    ),
    ports=(
        GuestPort("p-1", "tapp-1", "fa:16:3e:00:00:01", ("10.77.0.5",), (), ("g1",), up=True),
        GuestPort("p-2", "tapp-2", "fa:16:3e:00:00:02", (), (("fa:16:3e:00:00:03", "10.77.0.64/28"),), (), up=False),
    ),
    groups=(Group("g1", _RULES, ("10.77.0.5",)), Group("g2", (), ())),
    routers=(Router("r1", (("kn-11111111-11", "10.77.0.0/24"),), ("kn-22222222-22", "172.29.4.5"), snat=True),),
    floatings=(Floating("172.29.4.9", "kn-22222222-22", "10.77.0.5"),),
    external=("kn-22222222-22",),
)


@dataclass
class Case:
    plumbing: Plumbing
    spoil: Callable[[], object]
    """Makes the bridge of ``OUTER`` impossible."""


@pytest.fixture
def namespace() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(_CLONE_NEWNET) == 0
        yield
    finally:
        libc.setns(before, _CLONE_NEWNET)
        os.close(before)


@pytest.fixture(params=["fake", pytest.param("linux", marks=pytest.mark.system)])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "fake":
        fake = FakePlumbing()
        yield Case(fake, lambda: fake.fail.update({OUTER: "taken"}))
        return
    request.getfixturevalue("namespace")
    linux = LinuxPlumbing(LabNetworkOptions(state_path=str(tmp_path)))
    taken = ("ip", "link", "add", "kn-22222222-22", "type", "bridge")
    yield Case(linux, lambda: subprocess.check_call(taken))
    linux.teardown()


def test_a_plan_can_be_applied_again_and_again(case: Case) -> None:
    for _ in range(3):
        assert case.plumbing.apply(PLAN).failed == {}


def test_an_empty_plan_is_a_plan(case: Case) -> None:
    assert case.plumbing.apply(HostPlan()).failed == {}
    assert case.plumbing.apply(PLAN).failed == {}
    assert case.plumbing.apply(HostPlan()).failed == {}


def test_addresses_come_and_go_in_any_order(case: Case) -> None:
    inner, outer = PLAN.bridges
    case.plumbing.apply(PLAN)
    without_first = replace(PLAN, dhcp=(), bridges=(replace(inner, addresses=inner.addresses[1:]), outer))
    assert case.plumbing.apply(without_first).failed == {}
    none = replace(PLAN, dhcp=(), bridges=(replace(inner, addresses=()), replace(outer, mtu=1400, addresses=())))
    assert case.plumbing.apply(none).failed == {}
    assert case.plumbing.apply(PLAN).failed == {}


def test_one_network_that_fails_leaves_the_others_working(case: Case) -> None:
    case.spoil()
    report = case.plumbing.apply(PLAN)
    assert set(report.failed) == {OUTER}
    assert report.failed[OUTER]


def test_teardown_may_come_at_any_time(case: Case) -> None:
    case.plumbing.teardown()
    case.plumbing.apply(PLAN)
    case.plumbing.teardown()
    case.plumbing.teardown()
    assert case.plumbing.apply(PLAN).failed == {}


def test_our_own_bridges_are_no_networks_of_the_host(case: Case) -> None:
    before = list(case.plumbing.host_networks())
    case.plumbing.apply(PLAN)
    assert list(case.plumbing.host_networks()) == before


def test_abilities_are_told_and_do_not_change(case: Case) -> None:
    assert isinstance(case.plumbing.abilities(), Abilities)
    assert case.plumbing.abilities() == case.plumbing.abilities()
