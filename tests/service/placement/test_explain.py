"""Why a search finds nothing."""

from typing import Any

import pytest

PATH = "/ext/v1/allocation_candidates/explain"


@pytest.fixture
def cloud(api: Any) -> Any:
    api.provider("small", {"VCPU": 4, "MEMORY_MB": 100}, traits=("HW_CPU_X86_AVX2",), aggregates=("rack",))
    api.provider("large", {"VCPU": {"total": 64, "max_unit": 32}, "MEMORY_MB": 100})
    api.provider("parent", {"MEMORY_MB": 100}, traits=("HW_CPU_X86_SSE",))
    api.provider("left", {"CUSTOM_VF": 2}, parent="parent")
    api.provider("right", {"CUSTOM_VF": 2}, parent="parent")
    return api


AVX, RACK = "HW_CPU_X86_AVX2", "{rack}"
CASES = [
    # query, constraint → (providers, largest claim or None, fits without it)
    (
        f"resources=VCPU:8,MEMORY_MB:10&required={AVX}",
        {
            "resources=VCPU:8": (1, 32, True),
            "resources=MEMORY_MB:10": (3, 100, False),
            f"required={AVX}": (1, None, True),
        },
    ),
    ("resources=VCPU:40", {"resources=VCPU:40": (0, 32, True)}),
    (
        f"resources=VCPU:8&member_of={RACK}&required=!HW_CPU_X86_SSE",
        {
            "resources=VCPU:8": (1, 32, True),
            "required=!HW_CPU_X86_SSE": (4, None, False),
            f"member_of={RACK}": (1, None, True),
        },
    ),
    (
        "resources1=CUSTOM_VF:1&resources2=CUSTOM_VF:1&resources3=CUSTOM_VF:1&group_policy=isolate",
        {
            **{f"resources{i}=CUSTOM_VF:1": (2, 2, False) for i in (1, 2, 3)},
            "group_policy=isolate": (None, None, True),
        },
    ),
    (
        f"resources1=CUSTOM_VF:1&resources2=MEMORY_MB:1&group_policy=none&same_subtree=1,2&root_required={AVX}&in_tree2={{parent}}",
        {
            "resources1=CUSTOM_VF:1": (2, 2, False),
            "resources2=MEMORY_MB:1": (3, 100, False),
            "in_tree2={parent}": (3, None, False),
            "root_required=HW_CPU_X86_AVX2": (1, None, True),
            "same_subtree=1,2": (None, None, False),
        },
    ),
]


@pytest.mark.parametrize(("query", "expected"), CASES)
def test_which_constraint_is_in_the_way(cloud: Any, query: str, expected: dict[str, Any]) -> None:
    def filled(text: str) -> str:
        return text.replace(RACK, cloud.uid("rack")).replace("{parent}", cloud.uid("parent"))

    answer = cloud.ok("GET", f"{PATH}?{filled(query)}")
    assert answer["fits"] is False
    found = {c["constraint"]: (c["providers"], c.get("largest"), c["fits_without"]) for c in answer["constraints"]}
    assert found == {filled(text): numbers for text, numbers in expected.items()}
    for one in answer["constraints"]:
        assert (one["constraint"] in answer["summary"]) is one["fits_without"]


def test_where_something_fits_nothing_is_tried(cloud: Any) -> None:
    answer = cloud.ok("GET", f"{PATH}?resources=VCPU:8")
    assert answer == {
        "fits": True,
        "summary": "There are candidates.",
        "constraints": [{"constraint": "resources=VCPU:8", "providers": 1, "largest": 32, "fits_without": None}],
    }


def test_where_no_single_constraint_is_in_the_way(cloud: Any) -> None:
    answer = cloud.ok("GET", f"{PATH}?resources=VCPU:99,MEMORY_MB:999")
    assert "resources=VCPU:99 (0 providers, at most 32 on one)" in answer["summary"]
    assert "resources=MEMORY_MB:999 (0 providers, at most 100 on one)" in answer["summary"]


def test_same_query_same_refusals(cloud: Any) -> None:
    cloud.refused(400, "resources", "GET", f"{PATH}?resources=NONE_SUCH:1")
    cloud.refused(400, "color", "GET", f"{PATH}?resources=VCPU:1&color=red")
    cloud.refused(403, "allocation_candidates", "GET", f"{PATH}?resources=VCPU:1", token="someone", roles="member")
    cloud.refused(404, "", "GET", f"{PATH}?resources=VCPU:1", version="1.9")


def test_statements_do_not_grow_with_the_cloud(cloud: Any) -> None:
    with cloud.database.statements.watch() as few:
        cloud.ok("GET", f"{PATH}?resources=VCPU:40,MEMORY_MB:10")
    for i in range(20):
        cloud.provider(f"cn{i}", {"VCPU": 8, "MEMORY_MB": 10})
    with cloud.database.statements.watch() as many:
        cloud.ok("GET", f"{PATH}?resources=VCPU:40,MEMORY_MB:10")
    assert len(many) <= len(few)
