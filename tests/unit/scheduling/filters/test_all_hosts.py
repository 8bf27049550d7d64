from collections.abc import Callable

from kilonova.scheduling.filters.all_hosts import AllHostsFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


def test_no_host_is_refused(make_host: MakeHost, make_request: MakeRequest, judge: Judge) -> None:
    assert judge(AllHostsFilter(), make_host(service_up=False), make_request())
