from collections.abc import Callable

import pytest

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.server_group_anti_affinity import ServerGroupAntiAffinityFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import GroupFacts, ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("policy", "limit", "members", "passes"),
    [
        ("anti-affinity", 1, {}, True),
        ("anti-affinity", 1, {"h2": 1}, True),
        ("anti-affinity", 1, {"h1": 1}, False),
        ("anti-affinity", 2, {"h1": 1}, True),
        ("anti-affinity", 2, {"h1": 2}, False),
        ("affinity", 1, {"h1": 1}, True),
        ("soft-anti-affinity", 1, {"h1": 1}, True),
    ],
)
def test_a_host_takes_so_many_members(
    *,
    policy: str,
    limit: int,
    members: dict[str, int],
    passes: bool,
    make_host: MakeHost,
    make_request: MakeRequest,
    judge: Judge,
) -> None:
    request = make_request(group=GroupFacts("g", policy, limit))
    context = SelectionContext(members=members)
    filter_ = ServerGroupAntiAffinityFilter()
    refused = filter_.applies(request, context) and not filter_.passes(make_host(), request, context)
    assert refused is not passes


def test_a_server_without_group_goes_anywhere(make_host: MakeHost, make_request: MakeRequest, judge: Judge) -> None:
    assert judge(ServerGroupAntiAffinityFilter(), make_host(), make_request(), members={"h1": 9})


def test_the_operator_reads_the_numbers(make_host: MakeHost, make_request: MakeRequest) -> None:
    request = make_request(group=GroupFacts("g", "anti-affinity", 2))
    text = ServerGroupAntiAffinityFilter().reason(make_host(), request, SelectionContext(members={"h1": 3}))
    assert text == "has 3 members of server group g, 2 allowed"
