"""Query strings as demands; what each version refuses is in the service tests."""

from collections.abc import Mapping, Sequence

import pytest

from kilonova.placement.domain.demand import Condition, Demand, Group
from kilonova.placement.domain.errors import BadQuery, DuplicateQueryKey, MissingQueryValue
from kilonova.placement.domain.query import (
    parse_demand,
    parse_member_of,
    parse_provider_filter,
    parse_resources,
    parse_traits,
)

A, B = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"


def test_resources() -> None:
    assert parse_resources("resources", "VCPU:1,CUSTOM_X:20") == {"VCPU": 1, "CUSTOM_X": 20}


@pytest.mark.parametrize("text", ["", "VCPU", "VCPU:", "VCPU:0", "VCPU:1.5", "vcpu:1", "VCPU:1,", "VCPU:٣", ":1"])
def test_bad_resources(text: str) -> None:
    with pytest.raises(BadQuery, match="resources7"):
        parse_resources("resources7", text)


def test_traits() -> None:
    required, forbidden = parse_traits("required", ["X,!Y", "in:P,Q", "X"], 39)
    assert required == (frozenset({"X"}), frozenset({"P", "Q"}))
    assert forbidden == {"Y"}


@pytest.mark.parametrize(
    ("text", "minor"), [("!X", 21), ("in:X,Y", 38), ("in:!X", 39), ("X,!X", 39), ("", 39), ("!", 39)]
)
def test_bad_traits(text: str, minor: int) -> None:
    with pytest.raises(BadQuery, match="required"):
        parse_traits("required", [text], minor)


def test_member_of() -> None:
    inside, outside = parse_member_of("member_of", [A, f"in:{A},{B.upper()}", f"!{B}", f"!in:{A}"], 32)
    assert inside == (frozenset({A}), frozenset({A, B}))
    assert outside == {A, B}


@pytest.mark.parametrize(("text", "minor"), [(f"!{A}", 31), (f"{A},{B}", 39), (f"in:!{A}", 39), ("in:", 39), ("x", 39)])
def test_bad_member_of(text: str, minor: int) -> None:
    with pytest.raises(BadQuery, match="member_of"):
        parse_member_of("member_of", [text], minor)


def test_a_whole_demand() -> None:
    query: Mapping[str, Sequence[str]] = {
        "resources": ["VCPU:2"],
        "resources_net": ["SRIOV_NET_VF:1"],
        "required_net": ["X"],
        "required_numa": ["!Y"],
        "in_tree10": [A],
        "resources10": ["VGPU:1"],
        "resources9": ["VGPU:2"],
        "group_policy": ["isolate"],
        "same_subtree": ["_net,_numa"],
        "root_required": ["Z,!W"],
        "limit": ["5"],
    }
    assert parse_demand(query, 39) == Demand(
        groups=(
            Group(resources={"VCPU": 2}),
            Group(suffix="9", resources={"VGPU": 2}),
            Group(suffix="10", resources={"VGPU": 1}, condition=Condition(in_tree=A)),
            Group(suffix="_net", resources={"SRIOV_NET_VF": 1}, condition=Condition(required=(frozenset({"X"}),))),
            Group(suffix="_numa", condition=Condition(forbidden=frozenset({"Y"}))),
        ),
        isolate=True,
        same_subtree=(frozenset({"_net", "_numa"}),),
        root=Condition(required=(frozenset({"Z"}),), forbidden=frozenset({"W"})),
        limit=5,
    )


@pytest.mark.parametrize(("minor", "nested"), [(28, False), (29, True)])
def test_what_versions_switch(minor: int, nested: bool) -> None:
    demand = parse_demand({"resources": ["VCPU:1"]}, minor)
    assert demand.nested == nested


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, MissingQueryValue),
        ({"required": ["X"]}, MissingQueryValue),
        ({"resources": ["VCPU:1"], "required1": ["X"]}, BadQuery),
        ({"resources": ["VCPU:1", "VCPU:1"]}, DuplicateQueryKey),
        ({"resources1": ["VCPU:1"], "resources2": ["VCPU:1"]}, MissingQueryValue),
        ({"resources1": ["VCPU:1"], "same_subtree": ["1,"]}, BadQuery),
        ({"resources" + "x" * 65: ["VCPU:1"]}, BadQuery),
    ],
)
def test_demands_that_make_no_sense(query: Mapping[str, Sequence[str]], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_demand(query, 39)


def test_provider_filter() -> None:
    found = parse_provider_filter({"name": ["n"], "resources": ["VCPU:1"], "member_of": [A], "in_tree": [B]}, 39)
    assert (found.name, found.resources) == ("n", {"VCPU": 1})
    assert found.condition == Condition(member_of=(frozenset({A}),), in_tree=B)


def test_everything_spoken_of() -> None:
    demand = parse_demand(
        {"resources": ["VCPU:1"], "required": ["X,!Y"], "member_of": [A, f"!{B}"], "root_required": ["Z"]}, 39
    )
    assert demand.traits == {"X", "Y", "Z"}
    assert demand.aggregates == {A, B}
    assert demand.classes == {"VCPU"}
