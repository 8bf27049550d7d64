from collections.abc import Callable

import pytest

from kilonova.scheduling.errors import MetricMissing
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import MetricsOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.metrics import MetricsWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_the_sum_of_ratios(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [
        make_host(metrics={"load": 1.0, "heat": 10.0}),
        make_host(metrics={"load": 3.0, "heat": 10.0}),
        make_host(metrics={"load": 3.0, "heat": 8.0}),
    ]
    options = MetricsOptions(weight_setting=["load=-1", "heat = 0.5"], weight_multiplier=2.0)
    assert order(MetricsWeigher(), hosts, make_request(), metrics=options) == [2.0, 2.0 / 3, 0.0]


def test_a_missing_metric_is_an_error_when_required(
    make_host: MakeHost, make_request: MakeRequest, order: Order
) -> None:
    hosts = [make_host("good", metrics={"load": 1.0}), make_host("bad")]
    with pytest.raises(MetricMissing, match="Host bad does not report the metric load"):
        order(MetricsWeigher(), hosts, make_request(), metrics=MetricsOptions(weight_setting=["load=1"]))
    lenient = MetricsOptions(weight_setting=["load=1"], required=False)
    assert order(MetricsWeigher(), hosts, make_request(), metrics=lenient) == [1.0, 0.0]
