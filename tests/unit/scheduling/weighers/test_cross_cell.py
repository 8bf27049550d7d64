from collections.abc import Callable

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.cross_cell import CrossCellWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]


def test_a_moving_server_prefers_its_cell(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host("a", cell="one"), make_host("b", cell="two")]
    assert order(CrossCellWeigher(), hosts, make_request(source_cell="two")) == [0.0, 1000000.0]
    assert order(CrossCellWeigher(), hosts, make_request()) == [0.0, 0.0]
