from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.aggregate_io_ops import AggregateIoOpsFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("metadata", "passes"),
    [
        ((), False),
        (({"max_io_ops_per_host": "6"},), True),
        (({"max_io_ops_per_host": "6"}, {"max_io_ops_per_host": "5"}), False),
        (({"max_io_ops_per_host": "many"},), False),
        (({"max_io_ops_per_host": "many"}, {"max_io_ops_per_host": "9"}), True),
    ],
)
def test_the_smallest_number_of_the_aggregates_wins(
    metadata: tuple[dict[str, str], ...], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(num_io_ops=5, metadata=metadata)
    options = FilterOptions(max_io_ops_per_host=5)
    assert judge(AggregateIoOpsFilter(), host, make_request(), options=options) is passes
