from typing import Any

import pytest

from kilonova.scheduling.errors import NoValidHost
from kilonova.scheduling.hosts import Aggregate
from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters import aggregates
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.request import FlavorFacts, ServerRequest

FACTS = DeploymentFacts(
    aggregates=(
        Aggregate("w2", {"availability_zone": "west"}),
        Aggregate("w1", {"availability_zone": "west", "filter_tenant_id_a": "p1"}),
        Aggregate("e1", {"availability_zone": "east", "filter_tenant_id": "p2"}),
        Aggregate("ssd", {"trait:CUSTOM_SSD": "required"}),
        Aggregate("gpu", {"trait:CUSTOM_SSD": "required", "trait:CUSTOM_GPU": "required"}),
    ),
    segment_aggregates=(("s1", "s2"), ("s3",)),
)


def asked(prefilter: Any, traits: set[str] | None = None, zone: str | None = None, **options: bool) -> Any:
    query = CandidateQuery()
    query.main.required |= traits or set()
    request = ServerRequest(("s",), "p1", "u", FlavorFacts("m1", 1, 1), availability_zone=zone)
    prefilter(query, request, FACTS, SchedulerOptions(**options))
    return [pair for pair in query.pairs() if pair[0] == "member_of"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [(None, []), ("west", [("member_of", "in:w1,w2")]), ("nova", [("member_of", "!in:e1,w1,w2")])],
)
def test_a_zone_is_its_aggregates(zone: str | None, expected: list[tuple[str, str]]) -> None:
    assert asked(aggregates.map_az_to_placement_aggregate, zone=zone) == expected


def test_a_zone_without_aggregates_has_no_hosts() -> None:
    with pytest.raises(NoValidHost, match="Availability zone north has no hosts"):
        asked(aggregates.map_az_to_placement_aggregate, zone="north")


def test_a_project_keeps_to_its_aggregates() -> None:
    assert asked(aggregates.require_tenant_aggregate) == []
    assert asked(aggregates.require_tenant_aggregate, limit_tenants_to_placement_aggregate=True) == [
        ("member_of", "in:w1")
    ]


def test_a_project_without_aggregate_may_be_refused() -> None:
    request = ServerRequest(("s",), "p9", "u", FlavorFacts("m1", 1, 1))
    query = CandidateQuery()
    lenient = SchedulerOptions(limit_tenants_to_placement_aggregate=True)
    aggregates.require_tenant_aggregate(query, request, FACTS, lenient)
    assert query.pairs() == []
    strict = SchedulerOptions(limit_tenants_to_placement_aggregate=True, placement_aggregate_required_for_tenants=True)
    with pytest.raises(NoValidHost, match="aggregate"):
        aggregates.require_tenant_aggregate(query, request, FACTS, strict)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (set(), [("member_of", "!in:gpu,ssd")]),
        ({"CUSTOM_SSD"}, [("member_of", "!in:gpu")]),
        ({"CUSTOM_SSD", "CUSTOM_GPU", "CUSTOM_X"}, []),
    ],
)
def test_marked_aggregates_are_for_those_who_ask(traits: set[str], expected: list[tuple[str, str]]) -> None:
    assert asked(aggregates.isolate_aggregates, traits, enable_isolated_aggregate_filtering=True) == expected
    assert asked(aggregates.isolate_aggregates, traits) == []


def test_every_routed_network_narrows() -> None:
    assert asked(aggregates.routed_networks) == []
    assert asked(aggregates.routed_networks, query_placement_for_routed_network_aggregates=True) == [
        ("member_of", "in:s1,s2"),
        ("member_of", "in:s3"),
    ]
