from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.filters.same_host import SameHostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("hints", "passes"),
    [
        ({}, True),
        ({"same_host": "a"}, True),
        ({"same_host": ["x", "b"]}, True),
        ({"same_host": ["x"]}, False),
        ({"same_host": []}, True),
    ],
)
def test_the_hint_names_servers(
    hints: dict[str, Any], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(server_uuids=frozenset({"a", "b"}))
    assert judge(SameHostFilter(), host, make_request(hints=hints)) is passes
