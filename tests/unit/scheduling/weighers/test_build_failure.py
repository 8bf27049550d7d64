from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.build_failure import BuildFailureWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_failures_outweigh_the_rest(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(failed_builds=0), make_host(failed_builds=1), make_host(failed_builds=2)]
    assert order(BuildFailureWeigher(), hosts, make_request()) == [1000000.0, 500000.0, 0.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(failed_builds=0), make_host(failed_builds=1), make_host(failed_builds=2)]
    options = FilterOptions(build_failure_weight_multiplier=-2.0)
    plain = order(
        BuildFailureWeigher(), hosts, make_request(), options=FilterOptions(build_failure_weight_multiplier=1.0)
    )
    assert order(BuildFailureWeigher(), hosts, make_request(), options=options) == [-2.0 * value for value in plain]
