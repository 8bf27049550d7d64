from collections.abc import Callable

from kilonova.kit.codec import dumps
from kilonova.scheduling.explain import Explanation
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]


def test_users_read_numbers_operators_read_hosts(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host(f"node{number}") for number in range(3)]
    explanation = Explanation(make_request(), candidates=3, known=3)
    explanation.refused("AFilter", hosts, hosts, "never seen", lambda host: host.host)
    explanation.refused("BFilter", hosts, hosts[1:], "too old", lambda host: f"{host.host} is old")
    explanation.refused("CFilter", hosts[1:], [], "too hot", lambda host: f"{host.host} is hot")
    assert explanation.user_text() == (
        "3 hosts had room; BFilter refused 1: too old; CFilter refused the remaining 2: too hot."
    )
    assert explanation.reasons() == {
        "BFilter": {"node0": "node0 is old"},
        "CFilter": {"node1": "node1 is hot", "node2": "node2 is hot"},
    }
    document = explanation.document()
    assert document["filters"] == [
        {"name": "AFilter", "before": 3, "after": 3},
        {"name": "BFilter", "before": 3, "after": 2},
        {"name": "CFilter", "before": 2, "after": 0},
    ]
    assert b"node1 is hot" in dumps(document)


def test_one_filter_may_refuse_all(make_host: MakeHost, make_request: MakeRequest) -> None:
    explanation = Explanation(make_request(), candidates=1, known=1)
    explanation.refused("AFilter", [make_host()], [], "too old", lambda _: "old")
    assert explanation.user_text() == "1 host had room; AFilter refused all 1: too old."


def test_no_room_says_what_was_asked(make_request: MakeRequest) -> None:
    assert Explanation(make_request(), 0, 0).user_text() == (
        "No host has room for 2 vCPUs, 512 MiB of memory and 10 GiB of disk with the traits and aggregates asked for."
    )


def test_hosts_only_placement_knows_are_counted(make_request: MakeRequest) -> None:
    assert Explanation(make_request(), 2, 0).user_text() == "2 hosts had room; 2 of them not known to the scheduler."
