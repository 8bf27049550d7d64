"""``GET /allocation_candidates``: small clouds, queries, and what must come back."""

from typing import Any

import pytest

AVX, SSD, SHARES = "HW_CPU_X86_AVX2", "STORAGE_DISK_SSD", "MISC_SHARES_VIA_AGGREGATE"


@pytest.fixture
def flat(api: Any) -> Any:
    """Three hosts of their own, and one that is full."""
    api.provider("cn1", {"VCPU": 8, "MEMORY_MB": 1024}, traits=(AVX,), aggregates=("east",))
    api.provider("cn2", {"VCPU": 8, "MEMORY_MB": 1024}, traits=(SSD,), aggregates=("west",))
    api.provider("cn3", {"VCPU": 2, "MEMORY_MB": 512}, traits=(AVX, SSD), aggregates=("east", "north"))
    api.provider("full", {"VCPU": 4, "MEMORY_MB": 1024}, traits=(AVX,))
    assert api.claim("hog", {"full": {"VCPU": 4}}).status_code == 204
    api.uid("south")
    return api


FLAT = [
    ("resources=VCPU:2", "cn1 cn2 cn3"),
    ("resources=VCPU:3,MEMORY_MB:10", "cn1 cn2"),
    ("resources=VCPU:9", ""),
    (f"resources=VCPU:1&required={AVX}", "cn1 cn3"),
    (f"resources=VCPU:1&required={AVX},{SSD}", "cn3"),
    (f"resources=VCPU:1&required={AVX}&required={SSD}", "cn3"),
    (f"resources=VCPU:1&required=!{SSD}", "cn1"),
    (f"resources=VCPU:1&required=in:{AVX},{SSD}", "cn1 cn2 cn3"),
    (f"resources=VCPU:1&required=in:{AVX},{SSD}&required=!{AVX}", "cn2"),
    ("resources=VCPU:1&member_of={east}", "cn1 cn3"),
    ("resources=VCPU:1&member_of=in:{west},{north}", "cn2 cn3"),
    ("resources=VCPU:1&member_of={east}&member_of={north}", "cn3"),
    ("resources=VCPU:1&member_of=!{east}", "cn2"),
    ("resources=VCPU:1&member_of=!in:{west},{north}", "cn1"),
    ("resources=VCPU:1&member_of={south}", ""),
    ("resources=VCPU:1&in_tree={cn2}", "cn2"),
    ("resources=VCPU:1&in_tree={nowhere}", ""),
    (f"resources=VCPU:1&root_required={SSD}", "cn2 cn3"),
    (f"resources=VCPU:1&root_required=!{SSD}", "cn1"),
    (f"resources1=VCPU:1&required1={SSD}", "cn2 cn3"),
    ("resources1=VCPU:1&member_of1={west}", "cn2"),
    ("resources1=VCPU:2&resources2=VCPU:2&group_policy=none", "cn1 cn2"),
    ("resources1=VCPU:2&resources2=VCPU:2&group_policy=isolate", ""),
    ("resources=VCPU:2&resources1=VCPU:6", "cn1 cn2"),
    ("resources=VCPU:2&limit=2", "cn1 cn2"),
]


@pytest.mark.parametrize(("query", "hosts"), FLAT)
def test_flat_cloud(flat: Any, query: str, hosts: str) -> None:
    names = ("east", "west", "north", "south", "cn2", "nowhere")
    answer = flat.ok("GET", "/allocation_candidates?" + query.format(**{n: flat.uid(n) for n in names}))
    found = [flat.names[uuid] for one in answer["allocation_requests"] for uuid in one["allocations"]]
    assert found == hosts.split()
    assert set(answer["provider_summaries"]) == {flat.uid(name) for name in hosts.split()}


def test_a_trait_that_nearly_all_have(api: Any) -> None:
    """The statement does not look at it; what is loaded does. One host has a tree, which is searched as ever."""
    for i in range(22):
        api.provider(f"cn{i}", {"VCPU": 8}, traits=() if i == 1 else (AVX,), aggregates=("east",) if i < 3 else ())
    api.provider("child", {"MEMORY_MB": 8}, parent="cn2")
    for limit, more, hosts in (
        (3, "", "cn0 cn2 cn3"),
        (60, "", None),
        (60, f"&member_of={api.uid('east')}", "cn0 cn2"),
    ):
        query = f"resources=VCPU:1&required={AVX}&limit={limit}{more}"
        with api.database.statements.watch() as sent:
            answer = api.ok("GET", f"/allocation_candidates?{query}")
        assert "provider_traits.root_id" not in "".join(sent)
        found = [api.names[uuid] for one in answer["allocation_requests"] for uuid in one["allocations"]]
        assert found == (hosts.split() if hosts else [f"cn{i}" for i in range(22) if i != 1])


@pytest.fixture
def nested(api: Any) -> Any:
    """A host with two NUMA nodes, the first with two network functions; storage shared by both hosts."""
    for host in ("a", "b"):
        api.provider(host, {"MEMORY_MB": 1024}, aggregates=("rack",), traits=(AVX,) if host == "a" else ())
        for numa in ("n0", "n1"):
            api.provider(f"{host}.{numa}", {"VCPU": 4}, parent=host, traits=(SSD,) if numa == "n1" else ())
        for pf in ("p0", "p1"):
            api.provider(f"{host}.{pf}", {"SRIOV_NET_VF": 2}, parent=f"{host}.n0")
    api.provider("nfs", {"DISK_GB": {"total": 100, "max_unit": 60}}, aggregates=("rack",), traits=(SHARES,))
    return api


NESTED = [
    ("resources=VCPU:1&in_tree={a}", ["a.n0 VCPU=1", "a.n1 VCPU=1"]),
    ("resources=VCPU:1,MEMORY_MB:64&in_tree={a.n0}", ["a MEMORY_MB=64 + a.n0 VCPU=1", "a MEMORY_MB=64 + a.n1 VCPU=1"]),
    (f"resources=VCPU:1,MEMORY_MB:64&required={AVX},{SSD}", ["a MEMORY_MB=64 + a.n1 VCPU=1"]),
    (f"resources=VCPU:1&root_required={AVX}&required=!{SSD}", ["a.n0 VCPU=1"]),
    ("resources=DISK_GB:10", ["nfs DISK_GB=10"]),
    ("resources=DISK_GB:61", []),
    (
        f"resources=MEMORY_MB:64,DISK_GB:10&root_required=!{AVX}",
        ["b MEMORY_MB=64 + nfs DISK_GB=10"],
    ),
    ("resources=MEMORY_MB:64&resources1=DISK_GB:40&resources2=DISK_GB:30&group_policy=none", []),
    (
        "resources=MEMORY_MB:64&resources1=DISK_GB:30&resources2=DISK_GB:30&group_policy=none&in_tree={a}",
        ["a MEMORY_MB=64 + nfs DISK_GB=60"],
    ),
    ("resources=VCPU:1&member_of={rack}&in_tree={a}", ["a.n0 VCPU=1", "a.n1 VCPU=1"]),
    ("resources1=VCPU:1&member_of1={rack}", []),
    (
        "resources1=VCPU:1&resources2=SRIOV_NET_VF:1&group_policy=none&same_subtree=1,2&in_tree1={a}",
        ["a.n0 VCPU=1 + a.p0 SRIOV_NET_VF=1", "a.n0 VCPU=1 + a.p1 SRIOV_NET_VF=1"],
    ),
    (
        f"resources1=VCPU:1&required_top={SSD}&group_policy=none&same_subtree=1,_top&in_tree1={{a}}",
        ["a.n1 VCPU=1"],
    ),
    (
        "resources_x=SRIOV_NET_VF:1&resources_y=SRIOV_NET_VF:2&group_policy=isolate&in_tree_x={b}",
        ["b.p0 SRIOV_NET_VF=1 + b.p1 SRIOV_NET_VF=2", "b.p0 SRIOV_NET_VF=2 + b.p1 SRIOV_NET_VF=1"],
    ),
]


@pytest.mark.parametrize(("query", "expected"), NESTED)
def test_nested_cloud(nested: Any, query: str, expected: list[str]) -> None:
    for name in ("a", "a.n0", "b", "rack"):
        query = query.replace("{" + name + "}", nested.uid(name))
    assert nested.candidates(query) == expected


def test_mappings_name_the_providers_of_each_group(nested: Any) -> None:
    query = f"resources=MEMORY_MB:64,DISK_GB:5&resources1=VCPU:1&required1={SSD}&in_tree1={nested.uid('a')}"
    (one,) = nested.ok("GET", f"/allocation_candidates?{query}")["allocation_requests"]
    shown = {suffix: sorted(nested.names[uuid] for uuid in uuids) for suffix, uuids in one["mappings"].items()}
    assert shown == {"": ["a", "nfs"], "1": ["a.n1"]}
    assert (
        "mappings" not in nested.ok("GET", f"/allocation_candidates?{query}", version="1.33")["allocation_requests"][0]
    )


def test_summaries_show_whole_trees(nested: Any) -> None:
    path = f"/allocation_candidates?resources=SRIOV_NET_VF:1&in_tree={nested.uid('a')}&limit=1"
    summaries = nested.ok("GET", path)["provider_summaries"]
    assert {nested.names[uuid] for uuid in summaries} == {"a", "a.n0", "a.n1", "a.p0", "a.p1"}
    assert summaries[nested.uid("a.n1")] == {
        "resources": {"VCPU": {"capacity": 4, "used": 0}},
        "traits": [SSD],
        "parent_provider_uuid": nested.uid("a"),
        "root_provider_uuid": nested.uid("a"),
    }


SUMMARY_KEYS = [
    ("1.10", {"VCPU"}, {"resources"}),
    ("1.17", {"VCPU"}, {"resources", "traits"}),
    ("1.26", {"VCPU"}, {"resources", "traits"}),
    ("1.27", {"VCPU", "MEMORY_MB"}, {"resources", "traits"}),
    ("1.29", {"VCPU", "MEMORY_MB"}, {"resources", "traits", "parent_provider_uuid", "root_provider_uuid"}),
]


@pytest.mark.parametrize(("version", "classes", "keys"), SUMMARY_KEYS)
def test_summaries_grow_with_the_version(flat: Any, version: str, classes: set[str], keys: set[str]) -> None:
    answer = flat.ok("GET", "/allocation_candidates?resources=VCPU:8", version=version)
    one = answer["provider_summaries"][flat.uid("cn1")]
    assert set(one) == keys
    assert set(one["resources"]) == classes
    allocations = answer["allocation_requests"][0]["allocations"]
    assert isinstance(allocations, list if version == "1.10" else dict)


def test_before_1_29_a_candidate_takes_one_provider_of_a_tree(nested: Any) -> None:
    assert nested.candidates("resources=VCPU:1,MEMORY_MB:1", version="1.28") == []
    assert len(nested.candidates("resources=VCPU:1", version="1.28")) == 4
    shared = nested.candidates("resources=MEMORY_MB:1,DISK_GB:1", version="1.28")
    assert shared == ["a MEMORY_MB=1 + nfs DISK_GB=1", "b MEMORY_MB=1 + nfs DISK_GB=1"]


BAD = [
    ("1.39", "", "resources", "missing_value"),
    ("1.39", "resources=", "resources", "bad_value"),
    ("1.39", "resources=VCPU", "resources", "bad_value"),
    ("1.39", "resources=VCPU:0", "resources", "bad_value"),
    ("1.39", "resources=VCPU:-1", "resources", "bad_value"),
    ("1.39", "resources=VCPU:99999999999999999999", "resources", "bad_value"),
    ("1.39", "resources=VCPU:1,VCPU:2", "resources", "bad_value"),
    ("1.39", "resources=NO_SUCH_CLASS:1", "NO_SUCH_CLASS", "undefined_code"),
    ("1.39", "resources=VCPU:1&required=NO_SUCH_TRAIT", "NO_SUCH_TRAIT", "undefined_code"),
    ("1.39", "resources=VCPU:1&required=", "required", "bad_value"),
    ("1.39", f"resources=VCPU:1&required={AVX},!{AVX}", "required", "bad_value"),
    ("1.38", f"resources=VCPU:1&required=in:{AVX}", "required", "bad_value"),
    ("1.38", f"resources=VCPU:1&required={AVX}&required={SSD}", "required", "duplicate_key"),
    ("1.21", f"resources=VCPU:1&required=!{AVX}", "required", "undefined_code"),
    ("1.39", "resources=VCPU:1&member_of=x", "member_of", "bad_value"),
    ("1.39", "resources=VCPU:1&in_tree=x", "in_tree", "bad_value"),
    ("1.39", "resources=VCPU:1&limit=0", "limit", "bad_value"),
    ("1.39", "resources=VCPU:1&limit=many", "limit", "bad_value"),
    ("1.39", "resources=VCPU:1&resources=VCPU:2", "resources", "duplicate_key"),
    ("1.39", "resources=VCPU:1&unknown=1", "unknown", "bad_value"),
    ("1.39", "resources1=VCPU:1&resources2=VCPU:1", "group_policy", "missing_value"),
    ("1.39", "resources1=VCPU:1&resources2=VCPU:1&group_policy=some", "group_policy", "bad_value"),
    ("1.39", f"resources=VCPU:1&required1={AVX}", "resources1", "bad_value"),
    ("1.39", "resources1=VCPU:1&same_subtree=1,2", "same_subtree", "bad_value"),
    ("1.39", f"resources=VCPU:1&root_required=in:{AVX}", "root_required", "bad_value"),
    ("1.24", "resources1=VCPU:1", "resources1", "bad_value"),
    ("1.32", "resources_x=VCPU:1", "resources_x", "bad_value"),
    ("1.15", "resources=VCPU:1&limit=1", "limit", "undefined_code"),
    ("1.16", f"resources=VCPU:1&required={AVX}", "required", "undefined_code"),
    ("1.20", "resources=VCPU:1&member_of=x", "member_of", "undefined_code"),
    ("1.30", "resources=VCPU:1&in_tree=x", "in_tree", "bad_value"),
    ("1.34", f"resources=VCPU:1&root_required={AVX}", "root_required", "bad_value"),
    ("1.35", "resources1=VCPU:1&same_subtree=1", "same_subtree", "bad_value"),
]


@pytest.mark.parametrize(("version", "query", "words", "code"), BAD)
def test_bad_queries_are_named(api: Any, version: str, query: str, words: str, code: str) -> None:
    found = api.refused(400, words, "GET", f"/allocation_candidates?{query}", version=version)
    shown = "placement.undefined_code" if code == "undefined_code" else f"placement.query.{code}"
    assert found == (shown if int(version[2:]) >= 23 else "None")


def test_new_claims_show_at_once(flat: Any) -> None:
    assert flat.claim("one", {"cn1": {"VCPU": 7}}).status_code == 204
    assert flat.candidates("resources=VCPU:2") == ["cn2 VCPU=2", "cn3 VCPU=2"]
    flat.ok("DELETE", f"/allocations/{flat.uid('hog')}")
    assert "full VCPU=2" in flat.candidates("resources=VCPU:2")


class TestOptions:
    @pytest.fixture
    def options(self) -> dict[str, dict[str, Any]]:
        return {
            "placement": {
                "max_allocation_candidates": 3,
                "allocation_candidates_generation_strategy": "breadth-first",
            }
        }

    def test_maximum_and_breadth(self, nested: Any) -> None:
        assert nested.candidates("resources=SRIOV_NET_VF:1") == [
            "a.p0 SRIOV_NET_VF=1",
            "a.p1 SRIOV_NET_VF=1",
            "b.p0 SRIOV_NET_VF=1",
        ]


class TestRandom:
    @pytest.fixture
    def options(self) -> dict[str, dict[str, Any]]:
        return {"placement": {"randomize_allocation_candidates": True}}

    def test_every_candidate_turns_up_first_some_time(self, flat: Any) -> None:
        first = {tuple(flat.candidates("resources=VCPU:1&limit=1")) for _ in range(60)}
        assert first == {("cn1 VCPU=1",), ("cn2 VCPU=1",), ("cn3 VCPU=1",)}
        assert len(flat.candidates("resources=VCPU:1")) == 3
