from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.disk import DiskWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_more_free_disk_is_better(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(free_disk_mb=0), make_host(free_disk_mb=512), make_host(free_disk_mb=1024)]
    assert order(DiskWeigher(), hosts, make_request()) == [0.0, 0.5, 1.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(free_disk_mb=0), make_host(free_disk_mb=512), make_host(free_disk_mb=1024)]
    options = FilterOptions(disk_weight_multiplier=-2.0)
    plain = order(DiskWeigher(), hosts, make_request(), options=FilterOptions(disk_weight_multiplier=1.0))
    assert order(DiskWeigher(), hosts, make_request(), options=options) == [-2.0 * value for value in plain]
