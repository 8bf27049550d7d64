from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.compute import ComputeFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("facts", "passes"),
    [({}, True), ({"service_up": False}, False), ({"service_disabled": True, "disabled_reason": "disk"}, False)],
)
def test_the_service_must_be_up_and_enabled(
    facts: dict[str, Any], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    assert judge(ComputeFilter(), make_host(**facts), make_request()) is passes


def test_the_operator_reads_why_a_service_is_disabled(make_host: MakeHost, make_request: MakeRequest) -> None:
    host = make_host(service_disabled=True, disabled_reason="broken fan")
    assert "broken fan" in ComputeFilter().reason(host, make_request(), SelectionContext())
