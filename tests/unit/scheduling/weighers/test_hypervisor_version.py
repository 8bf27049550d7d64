from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.hypervisor_version import HypervisorVersionWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_newer_is_better(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(hypervisor_version=6000000), make_host(hypervisor_version=8000000)]
    assert order(HypervisorVersionWeigher(), hosts, make_request()) == [0.0, 1.0]


def test_the_option_scales_and_turns(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(hypervisor_version=6000000), make_host(hypervisor_version=8000000)]
    options = FilterOptions(hypervisor_version_weight_multiplier=-2.0)
    plain = order(
        HypervisorVersionWeigher(),
        hosts,
        make_request(),
        options=FilterOptions(hypervisor_version_weight_multiplier=1.0),
    )
    assert order(HypervisorVersionWeigher(), hosts, make_request(), options=options) == [
        -2.0 * value for value in plain
    ]
