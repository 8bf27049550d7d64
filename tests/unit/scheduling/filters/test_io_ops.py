from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.io_ops import IoOpsFilter
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
    options = FilterOptions(max_io_ops_per_host=5)
    host = make_host(num_io_ops=number, metadata=({"max_io_ops_per_host": "50"},))
    assert judge(IoOpsFilter(), host, make_request(), options=options) is passes
