from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.io_ops import IoOpsWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_fewer_running_operations_are_better(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(num_io_ops=0), make_host(num_io_ops=1), make_host(num_io_ops=2)]
    assert order(IoOpsWeigher(), hosts, make_request()) == [0.0, -0.5, -1.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(num_io_ops=0), make_host(num_io_ops=1), make_host(num_io_ops=2)]
    options = FilterOptions(io_ops_weight_multiplier=-2.0)
    plain = order(IoOpsWeigher(), hosts, make_request(), options=FilterOptions(io_ops_weight_multiplier=1.0))
    assert order(IoOpsWeigher(), hosts, make_request(), options=options) == [-2.0 * value for value in plain]
