from collections.abc import Callable

import pytest

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.server_group_affinity import ServerGroupAffinityFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import GroupFacts, ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("policy", "members", "passes"),
    [
        ("affinity", {}, True),
        ("affinity", {"h1": 1}, True),
        ("affinity", {"h2": 1}, False),
        ("anti-affinity", {"h2": 1}, True),
        ("soft-affinity", {"h2": 1}, True),
    ],
)
def test_members_stay_together(
    policy: str, members: dict[str, int], passes: bool, make_host: MakeHost, make_request: MakeRequest
) -> None:
    request = make_request(group=GroupFacts("g", policy))
    context = SelectionContext(members=members)
    filter_ = ServerGroupAffinityFilter()
    refused = filter_.applies(request, context) and not filter_.passes(make_host(), request, context)
    assert refused is not passes


def test_the_operator_reads_where_the_group_is(make_host: MakeHost, make_request: MakeRequest) -> None:
    request = make_request(group=GroupFacts("g", "affinity"))
    text = ServerGroupAffinityFilter().reason(make_host(), request, SelectionContext(members={"h2": 1}))
    assert text == "server group g is on h2"
