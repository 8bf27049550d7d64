from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.filters.different_host import DifferentHostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("hints", "passes"),
    [
        ({}, True),
        ({"different_host": "a"}, False),
        ({"different_host": ["x", "b"]}, False),
        ({"different_host": ["x"]}, True),
        ({"different_host": []}, True),
    ],
)
def test_the_hint_names_servers(
    hints: dict[str, Any], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(server_uuids=frozenset({"a", "b"}))
    assert judge(DifferentHostFilter(), host, make_request(hints=hints)) is passes
