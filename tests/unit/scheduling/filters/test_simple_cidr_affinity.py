from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.errors import BadHint
from kilonova.scheduling.filters.simple_cidr_affinity import SimpleCIDRAffinityFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("hints", "address", "passes"),
    [
        ({}, None, True),
        ({"build_near_host_ip": "10.0.0.7"}, "10.0.0.200", True),
        ({"build_near_host_ip": "10.0.0.7"}, "10.0.1.7", False),
        ({"build_near_host_ip": "10.0.0.7", "cidr": "/16"}, "10.0.1.7", True),
        ({"build_near_host_ip": ["10.0.0.7"], "cidr": "28"}, "10.0.0.200", False),
        ({"build_near_host_ip": "fd00::1", "cidr": "/64"}, "fd00::2", True),
        ({"build_near_host_ip": "10.0.0.7"}, None, False),
    ],
)
def test_the_host_is_in_the_network(
    hints: dict[str, Any],
    address: str | None,
    passes: bool,
    make_host: MakeHost,
    make_request: MakeRequest,
    judge: Judge,
) -> None:
    assert judge(SimpleCIDRAffinityFilter(), make_host(host_ip=address), make_request(hints=hints)) is passes


def test_a_malformed_address_is_the_users_mistake(make_host: MakeHost, make_request: MakeRequest, judge: Judge) -> None:
    request = make_request(hints={"build_near_host_ip": "nowhere"})
    with pytest.raises(BadHint, match="build_near_host_ip"):
        judge(SimpleCIDRAffinityFilter(), make_host(host_ip="10.0.0.1"), request)
