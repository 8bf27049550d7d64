from collections.abc import Callable

import pytest

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.pci import PCIWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


@pytest.mark.parametrize(("asked", "best"), [(0, "none"), (1, "one"), (2, "many")])
def test_devices_go_to_those_who_ask(
    asked: int, best: str, make_host: MakeHost, make_request: MakeRequest, order: Order
) -> None:
    hosts = [make_host("one", pci_free=1), make_host("many", pci_free=8), make_host("none", pci_free=0)]
    weights = order(PCIWeigher(), hosts, make_request(pci_devices=asked))
    assert hosts[weights.index(max(weights))].host == best
    assert max(weights) == 1.0
