from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.cpu import CPUWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_over_commitment_counts(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    plain = make_host(vcpus_total=16, vcpus_used=8)
    over = make_host(vcpus_total=8, cpu_allocation_ratio=4.0, vcpus_used=8)
    full = make_host(vcpus_total=8, vcpus_used=8)
    assert order(CPUWeigher(), [plain, over, full], make_request()) == [8 / 24, 1.0, 0.0]
