from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.num_instances import NumInstancesWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_neutral_by_default(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(num_instances=0), make_host(num_instances=5)]
    assert order(NumInstancesWeigher(), hosts, make_request()) == [0.0, 0.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(num_instances=0), make_host(num_instances=5)]
    options = FilterOptions(num_instances_weight_multiplier=-2.0)
    plain = order(
        NumInstancesWeigher(), hosts, make_request(), options=FilterOptions(num_instances_weight_multiplier=1.0)
    )
    assert order(NumInstancesWeigher(), hosts, make_request(), options=options) == [-2.0 * value for value in plain]
