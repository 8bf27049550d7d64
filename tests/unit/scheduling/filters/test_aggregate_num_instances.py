from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.aggregate_num_instances import AggregateNumInstancesFilter
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
        (({"max_instances_per_host": "6"},), True),
        (({"max_instances_per_host": "6"}, {"max_instances_per_host": "5"}), False),
        (({"max_instances_per_host": "many"},), False),
        (({"max_instances_per_host": "many"}, {"max_instances_per_host": "9"}), True),
    ],
)
def test_the_smallest_number_of_the_aggregates_wins(
    metadata: tuple[dict[str, str], ...], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(num_instances=5, metadata=metadata)
    options = FilterOptions(max_instances_per_host=5)
    assert judge(AggregateNumInstancesFilter(), host, make_request(), options=options) is passes
