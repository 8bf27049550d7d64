from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.num_instances import NumInstancesFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(("number", "passes"), [(0, True), (4, True), (5, False), (6, False)])
def test_the_limit_itself_is_full(
    number: int, passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    options = FilterOptions(max_instances_per_host=5)
    host = make_host(num_instances=number, metadata=({"max_instances_per_host": "50"},))
    assert judge(NumInstancesFilter(), host, make_request(), options=options) is passes
