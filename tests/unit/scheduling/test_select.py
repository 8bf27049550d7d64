from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.scheduling.candidates import CandidateSet
from kilonova.scheduling.errors import NoValidHost
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions, SchedulerOptions, SchedulingOptions
from kilonova.scheduling.request import FlavorFacts, GroupFacts, ServerRequest
from kilonova.scheduling.select import Selection, select

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]


def offers(*providers: str, capacity: int = 100, amount: int = 2) -> CandidateSet:
    """Placement's reply when each provider could take the server."""
    return CandidateSet(
        {
            "allocation_requests": [{"allocations": {p: {"resources": {"VCPU": amount}}}} for p in providers],
            "provider_summaries": {
                p: {"root_provider_uuid": p, "resources": {"VCPU": {"capacity": capacity, "used": 0}}}
                for p in providers
            },
        }
    )


def choose(
    hosts: Sequence[HostState],
    request: ServerRequest,
    *,
    candidates: CandidateSet | None = None,
    filters: FilterOptions | None = None,
    attempts: int = 3,
    seed: int = 1,
) -> Selection:
    options = SchedulingOptions(SchedulerOptions(max_attempts=attempts), filters or FilterOptions())
    offered = offers(*(host.provider for host in hosts)) if candidates is None else candidates
    return select(offered, hosts, request, options, Random(seed))


def chosen(selection: Selection) -> list[str]:
    return [server.chosen.host for server in selection.servers]


def test_the_best_host_and_its_alternates(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host("a", free_ram_mb=1), make_host("b", free_ram_mb=3), make_host("c", free_ram_mb=2)]
    (server,) = choose(hosts, make_request()).servers
    assert (server.server_uuid, server.chosen.host, server.chosen.provider) == ("s1", "b", "rp-b")
    assert server.chosen.candidate.allocations == {"rp-b": {"resources": {"VCPU": 2}}}
    assert [alternate.host for alternate in server.alternates] == ["c", "a"]


def test_alternates_are_few_and_of_the_same_cell(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [
        make_host("a", free_ram_mb=9, cell="one"),
        make_host("b", free_ram_mb=8, cell="two"),
        make_host("c", free_ram_mb=7, cell="one"),
        make_host("d", free_ram_mb=6, cell="one"),
    ]
    (server,) = choose(hosts, make_request(), attempts=2).servers
    assert [alternate.host for alternate in server.alternates] == ["c"]
    assert choose(hosts, make_request(), attempts=1).servers[0].alternates == ()


def test_servers_of_one_request_spread_by_what_they_take(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host("a", free_ram_mb=2000), make_host("b", free_ram_mb=1600)]
    filters = FilterOptions(weight_classes=["nova.scheduler.weights.ram.RAMWeigher"])
    selection = choose(hosts, make_request(server_uuids=("1", "2", "3")), filters=filters)
    assert chosen(selection) == ["a", "b", "a"]
    assert all(server.alternates == () for server in selection.servers)
    assert hosts[0].free_ram_mb == 2000


def test_a_host_is_left_when_placement_would_refuse_the_next_server(
    make_host: MakeHost, make_request: MakeRequest
) -> None:
    hosts = [make_host("a", free_ram_mb=9999999), make_host("b")]
    request = make_request(server_uuids=("1", "2", "3"))
    candidates = offers("rp-a", "rp-b", capacity=4)
    filters = FilterOptions(weight_classes=["nova.scheduler.weights.ram.RAMWeigher"])
    assert chosen(choose(hosts, request, candidates=candidates, filters=filters)) == ["a", "a", "b"]
    with pytest.raises(NoValidHost, match=r"For server 5 of 5: 2 hosts had room; room refused all 2: full once"):
        choose(hosts, make_request(server_uuids=tuple("12345")), candidates=offers("rp-a", "rp-b", capacity=4))


@pytest.mark.parametrize(
    ("group", "hosts_of_servers"),
    [
        (GroupFacts("g", "anti-affinity", hosts={"a": 1}), ["b", "c"]),
        (GroupFacts("g", "affinity"), ["a", "a"]),
        (GroupFacts("g", "affinity", hosts={"c": 1}), ["c", "c"]),
        (GroupFacts("g", "soft-anti-affinity", hosts={"a": 1}), ["b", "c"]),
        (GroupFacts("g", "soft-affinity", hosts={"b": 1}), ["b", "b"]),
        (GroupFacts("g", "anti-affinity", 2), ["a", "a"]),
    ],
)
def test_groups_see_the_servers_of_the_same_request(
    group: GroupFacts, hosts_of_servers: list[str], make_host: MakeHost, make_request: MakeRequest
) -> None:
    filters = FilterOptions(
        ram_weight_multiplier=0.1,
        cpu_weight_multiplier=0,
        disk_weight_multiplier=0,
        io_ops_weight_multiplier=0,
        soft_affinity_weight_multiplier=10,
        soft_anti_affinity_weight_multiplier=10,
    )
    hosts = [make_host(name, free_ram_mb=free) for name, free in (("a", 90000), ("b", 50000), ("c", 10000))]
    request = make_request(server_uuids=("1", "2"), group=group)
    assert chosen(choose(hosts, request, filters=filters)) == hosts_of_servers


def test_nobody_left_is_told_without_host_names(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host("secret1"), make_host("secret2")]
    request = make_request(group=GroupFacts("g", "anti-affinity", hosts={"secret1": 1, "secret2": 1}))
    with pytest.raises(NoValidHost) as caught:
        choose(hosts, request)
    assert str(caught.value) == (
        "No valid host was found. 2 hosts had room; ServerGroupAntiAffinityFilter refused all 2: "
        "already has as many members of the server group as its anti-affinity rule allows."
    )
    explanation = caught.value.explanation
    assert explanation is not None
    assert explanation.reasons()["ServerGroupAntiAffinityFilter"]["secret1"].startswith("has 1 members")


def test_no_candidate_is_no_host(make_host: MakeHost, make_request: MakeRequest) -> None:
    with pytest.raises(NoValidHost, match="No host has room for 2 vCPUs"):
        choose([make_host()], make_request(), candidates=offers())


def test_hosts_placement_does_not_offer_are_left_out(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host("a", free_ram_mb=5), make_host("b")]
    selection = choose(hosts, make_request(), candidates=offers("rp-b"))
    assert chosen(selection) == ["b"]
    assert selection.explanation.candidates == 1


@pytest.mark.parametrize(
    ("facts", "host"),
    [
        ({"requested_host": "b"}, "b"),
        ({"requested_node": "c"}, "c"),
        ({"ignore_hosts": frozenset({"a"})}, "b"),
        ({"tried_hosts": frozenset({"a", "b"})}, "c"),
        ({"requested_host": "down"}, None),
        ({"requested_host": "down", "forced": True}, "down"),
        ({"requested_host": "a", "requested_node": "b"}, None),
        ({"requested_host": "a", "tried_hosts": frozenset({"a"})}, None),
        ({"requested_host": "none", "forced": True}, None),
    ],
)
def test_wishes_narrow_the_hosts(
    facts: dict[str, object], host: str | None, make_host: MakeHost, make_request: MakeRequest
) -> None:
    hosts = [make_host(name, free_ram_mb=free) for name, free in (("a", 3), ("b", 2), ("c", 1))]
    hosts.append(make_host("down", service_up=False, free_ram_mb=99))
    if host is None:
        with pytest.raises(NoValidHost, match="4 hosts had room"):
            choose(hosts, make_request(**facts))
    else:
        assert chosen(choose(hosts, make_request(**facts))) == [host]


def test_chance_among_the_best(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host(name, free_ram_mb=free) for name, free in (("a", 3), ("b", 2), ("c", 1))]
    filters = FilterOptions(host_subset_size=2)
    seen = {chosen(choose(hosts, make_request(), filters=filters, seed=seed))[0] for seed in range(20)}
    assert seen == {"a", "b"}


def test_equal_hosts_are_shuffled_when_asked(make_host: MakeHost, make_request: MakeRequest) -> None:
    hosts = [make_host(name, free_ram_mb=free) for name, free in (("a", 3), ("b", 3), ("c", 1))]
    filters = FilterOptions(shuffle_best_same_weighed_hosts=True)
    assert {chosen(choose(hosts, make_request(), filters=filters, seed=s))[0] for s in range(20)} == {"a", "b"}
    assert {chosen(choose(hosts, make_request(), seed=s))[0] for s in range(20)} == {"a"}


HOSTS = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), min_size=1, max_size=12)


@given(HOSTS, st.integers(1, 6), st.integers(1, 3))
def test_anti_affinity_and_capacity_hold_whatever_comes(
    drawn: list[tuple[int, bool, int]], count: int, limit: int
) -> None:
    hosts = [
        HostState(f"h{n}", f"h{n}", f"rp-h{n}", f"cell{cell}", service_up=up, free_ram_mb=free)
        for n, (cell, up, free) in enumerate(drawn)
    ]
    uuids = tuple(f"s{n}" for n in range(count))
    group = GroupFacts("g", "anti-affinity", limit)
    request = ServerRequest(uuids, "p", "u", FlavorFacts("f", 2, 1), group=group)
    candidates = offers(*(host.provider for host in hosts), capacity=4)
    room = sum(min(limit, 2) for _, up, _ in drawn if up)
    try:
        selection = choose(hosts, request, candidates=candidates)
    except NoValidHost:
        assert room < count
        return
    names = chosen(selection)
    up = {host.host for host in hosts if host.service_up}
    assert room >= count
    assert len(names) == count
    assert set(names) <= up
    assert all(names.count(name) <= min(limit, 2) for name in names)
    for server in selection.servers:
        assert all(alternate.cell == server.chosen.cell for alternate in server.alternates)
        assert not {alternate.host for alternate in server.alternates} & set(names)
