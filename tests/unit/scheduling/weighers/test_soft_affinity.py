from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import GroupFacts, ServerRequest
from kilonova.scheduling.weighers.soft_affinity import ServerGroupSoftAffinityWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_members_decide(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host("a"), make_host("b"), make_host("c")]
    members = {"a": 4, "b": 2}
    asked = make_request(group=GroupFacts("g", "soft-affinity"))
    assert order(ServerGroupSoftAffinityWeigher(), hosts, asked, members=members) == [1.0, 0.5, 0.0]


def test_other_groups_do_not(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host("a"), make_host("b")]
    for group in (None, GroupFacts("g", "anti-affinity")):
        request = make_request(group=group)
        assert order(ServerGroupSoftAffinityWeigher(), hosts, request, members={"a": 4}) == [0.0, 0.0]
