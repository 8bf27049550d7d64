from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.aggregate_multi_tenancy_isolation import AggregateMultiTenancyIsolation
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
        (({"filter_tenant_id": "project"},), True),
        (({"filter_tenant_id": "a, project"},), True),
        (({"filter_tenant_id": "a"},), False),
        (({"filter_tenant_id": "a"}, {"filter_tenant_id2": "project"}), True),
    ],
)
def test_reserved_hosts_take_their_projects(
    metadata: tuple[dict[str, str], ...], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    assert judge(AggregateMultiTenancyIsolation(), make_host(metadata=metadata), make_request()) is passes
