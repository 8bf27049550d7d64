from collections.abc import Callable

import pytest

from kilonova.scheduling.errors import BadHint
from kilonova.scheduling.filters.json_query import JsonFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("", True),
        ("[]", True),
        ('[">=", "$free_ram_mb", 1024]', True),
        ('[">", "$free_ram_mb", 1024]', False),
        ('["<", "$num_instances", 3]', True),
        ('["<=", "$num_instances", 1]', False),
        ('["=", "$zone", "west"]', True),
        ('["in", "$zone", "east", "west"]', True),
        ('["in", "$zone", "east"]', False),
        ('["not", ["=", "$zone", "west"]]', False),
        ('["and", ["=", "$zone", "west"], [">", "$num_instances", 5]]', False),
        ('["or", ["=", "$zone", "west"], [">", "$num_instances", 5]]', True),
        ('["=", "$stats.rack", "r1"]', True),
        ('["=", "$stats.rack.no", "r1"]', False),
        ('["<", "$no_such_fact", 5]', False),
        ('["<", "$zone", 5]', False),
    ],
)
def test_the_query_is_evaluated_for_the_host(
    query: str, passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(free_ram_mb=1024, num_instances=2, zone="west", stats={"rack": "r1"})
    assert judge(JsonFilter(), host, make_request(hints={"query": query})) is passes


@pytest.mark.parametrize(
    "query", ["{", '["xor", 1, 2]', '[["="], 1, 2]', '["=", 1]', '["and"]', '[">="]', '["not",' * 900 + "1" + "]" * 900]
)
def test_a_malformed_query_is_the_users_mistake(
    query: str, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    with pytest.raises(BadHint, match="query"):
        judge(JsonFilter(), make_host(), make_request(hints={"query": query}))


def test_no_hint_no_question(make_host: MakeHost, make_request: MakeRequest, judge: Judge) -> None:
    assert judge(JsonFilter(), make_host(), make_request())
