from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.aggregate_type_affinity import AggregateTypeAffinityFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("metadata", "passes"),
    [
        ((), True),
        (({"rack": "1"},), True),
        (({"instance_type": "m1.tiny"},), True),
        (({"instance_type": "m1.big,m1.tiny"},), True),
        (({"instance_type": "m1.big"},), False),
    ],
)
def test_reserved_hosts_take_their_flavors(
    metadata: tuple[dict[str, str], ...], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    assert judge(AggregateTypeAffinityFilter(), make_host(metadata=metadata), make_request()) is passes
