import pytest

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.prefilters.query import CandidateQuery, QueryGroup
from kilonova.scheduling.request import ResourceGroup


def test_a_full_query_in_its_order() -> None:
    query = CandidateQuery(limit=10, same_subtree=[("-nic", "-port")])
    query.main.resources.update(VCPU=1, DISK_GB=0)
    query.main.aggregates += [("a", "b"), ("c",)]
    query.main.in_tree = "h1"
    query.root.forbid("COMPUTE_STATUS_DISABLED")
    query.forbidden_aggregates |= {"y", "x"}
    query.add(ResourceGroup("-port", {"NET_BW_EGR_KILOBIT_PER_SEC": 5}, ("CUSTOM_P",), ("CUSTOM_Q",), (("d",),), "nic"))
    query.add(ResourceGroup("-nic", {"VGPU": 1}))
    assert query.pairs() == [
        ("resources", "VCPU:1"),
        ("member_of", "in:a,b"),
        ("member_of", "in:c"),
        ("in_tree", "h1"),
        ("member_of", "!in:x,y"),
        ("resources-nic", "VGPU:1"),
        ("resources-port", "NET_BW_EGR_KILOBIT_PER_SEC:5"),
        ("required-port", "CUSTOM_P,!CUSTOM_Q"),
        ("member_of-port", "in:d"),
        ("in_tree-port", "nic"),
        ("root_required", "!COMPUTE_STATUS_DISABLED"),
        ("same_subtree", "-nic,-port"),
        ("group_policy", "none"),
        ("limit", "10"),
    ]


def test_no_trait_is_required_and_forbidden() -> None:
    group = QueryGroup()
    group.require("CUSTOM_A")
    with pytest.raises(BadExtraSpec, match="trait:CUSTOM_A"):
        group.forbid("CUSTOM_A")
    with pytest.raises(BadExtraSpec, match="trait:CUSTOM_B"):
        CandidateQuery().add(ResourceGroup("x", required=("CUSTOM_B",), forbidden=("CUSTOM_B",)))
