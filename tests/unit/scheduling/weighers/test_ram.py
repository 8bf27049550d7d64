from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.ram import RAMWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_more_free_memory_is_better(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(free_ram_mb=0), make_host(free_ram_mb=512), make_host(free_ram_mb=1024)]
    assert order(RAMWeigher(), hosts, make_request()) == [0.0, 0.5, 1.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(free_ram_mb=0), make_host(free_ram_mb=512), make_host(free_ram_mb=1024)]
    options = FilterOptions(ram_weight_multiplier=-2.0)
    plain = order(RAMWeigher(), hosts, make_request(), options=FilterOptions(ram_weight_multiplier=1.0))
    assert order(RAMWeigher(), hosts, make_request(), options=options) == [-2.0 * value for value in plain]
