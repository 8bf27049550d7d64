from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.metrics import MetricsFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import MetricsOptions
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("setting", "metrics", "passes"),
    [
        ([], {}, True),
        (["load=1.0"], {"load": 3.0}, True),
        (["load=1.0", "heat=-2"], {"load": 3.0}, False),
    ],
)
def test_every_weighed_metric_is_reported(
    setting: list[str],
    metrics: dict[str, float],
    passes: bool,
    make_host: MakeHost,
    make_request: MakeRequest,
    judge: Judge,
) -> None:
    options = MetricsOptions(weight_setting=setting)
    assert judge(MetricsFilter(), make_host(metrics=metrics), make_request(), metrics=options) is passes
