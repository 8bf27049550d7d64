from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.scheduling.context import SelectionContext, metadata_keys
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions, SchedulingOptions
from kilonova.scheduling.request import FlavorFacts, ServerRequest
from kilonova.scheduling.weighers.cpu import CPUWeigher
from kilonova.scheduling.weighers.ram import RAMWeigher
from kilonova.scheduling.weighers.weighing import weigh

REQUEST = ServerRequest(("s",), "p", "u", FlavorFacts("f", 1, 1))
MakeHost = Callable[..., HostState]


def test_weighers_add_up(make_host: MakeHost) -> None:
    hosts = [make_host(free_ram_mb=10, vcpus_total=2), make_host(free_ram_mb=20, vcpus_total=1)]
    options = SchedulingOptions(filters=FilterOptions(cpu_weight_multiplier=3.0))
    weights = weigh(hosts, REQUEST, SelectionContext(options), [RAMWeigher(), CPUWeigher()])
    assert weights == [3.0, 1.0]


@pytest.mark.parametrize(
    ("metadata", "weight"),
    [
        ((), 1.0),
        (({"ram_weight_multiplier": "5"},), 5.0),
        (({"ram_weight_multiplier": "5"}, {"ram_weight_multiplier": "-2"}), -2.0),
        (({"ram_weight_multiplier": "much"},), 1.0),
        (({"cpu_weight_multiplier": "7"},), 1.0),
    ],
)
def test_aggregates_override_the_multiplier(
    metadata: tuple[dict[str, str], ...], weight: float, make_host: MakeHost
) -> None:
    hosts = [make_host(free_ram_mb=0), make_host(free_ram_mb=100, metadata=metadata)]
    context = SelectionContext(metadata_keys=metadata_keys(hosts))
    assert weigh(hosts, REQUEST, context, [RAMWeigher()]) == [0.0, weight]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.floats(0.001, 1000))
def test_weights_keep_order_within_the_multiplier(free: list[int], multiplier: float) -> None:
    hosts = [HostState("h", "h", "p", "c", free_ram_mb=amount) for amount in free]
    options = SchedulingOptions(filters=FilterOptions(ram_weight_multiplier=multiplier))
    weights = weigh(hosts, REQUEST, SelectionContext(options), [RAMWeigher()])
    assert all(-1e-9 <= weight <= multiplier * (1 + 1e-9) for weight in weights)
    by_weight = [amount for _, amount in sorted(zip(weights, free, strict=True))]
    assert by_weight == sorted(free)


def test_no_hosts_no_weights() -> None:
    assert weigh([], REQUEST, SelectionContext(), [RAMWeigher()]) == []
