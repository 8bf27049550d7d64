import pytest

from kilonova.scheduling.errors import BadExtraSpec
from kilonova.scheduling.prefilters.query import CandidateQuery
from kilonova.scheduling.prefilters.resources import add_extra_specs, add_flavor_amounts, add_image_traits
from kilonova.scheduling.request import FlavorFacts, ServerRequest


def pairs(extra_specs: dict[str, str], properties: dict[str, object] | None = None) -> list[tuple[str, str]]:
    query = CandidateQuery()
    add_flavor_amounts(query, ServerRequest(("s",), "p", "u", FlavorFacts("m1", 2, 512, 10, 1, 100)))
    add_extra_specs(query, extra_specs)
    add_image_traits(query, properties or {})
    return query.pairs()


PLAIN = ("resources", "DISK_GB:12,MEMORY_MB:512,VCPU:2")


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({}, [PLAIN]),
        ({"hw:cpu_policy": "shared", "traits": "x"}, [PLAIN]),
        ({"resources:VCPU": "4"}, [("resources", "DISK_GB:12,MEMORY_MB:512,VCPU:4")]),
        ({"resources:VCPU": "0", "resources:DISK_GB": "0"}, [("resources", "MEMORY_MB:512")]),
        ({"resources:CUSTOM_FPGA": "1"}, [("resources", "CUSTOM_FPGA:1,DISK_GB:12,MEMORY_MB:512,VCPU:2")]),
        ({"trait:HW_CPU_X86_AVX2": "required"}, [PLAIN, ("required", "HW_CPU_X86_AVX2")]),
        (
            {"trait:CUSTOM_B": "required", "trait:CUSTOM_A": "forbidden"},
            [PLAIN, ("required", "CUSTOM_B,!CUSTOM_A")],
        ),
        (
            {"resources1:VGPU": "1", "trait1:CUSTOM_T4": "required"},
            [PLAIN, ("resources1", "VGPU:1"), ("required1", "CUSTOM_T4")],
        ),
        (
            {"resources_A:VGPU": "1", "resources_B:VGPU": "2", "group_policy": "isolate"},
            [PLAIN, ("resources_A", "VGPU:1"), ("resources_B", "VGPU:2"), ("group_policy", "isolate")],
        ),
        (
            {"resources1:VGPU": "1", "resources2:VGPU": "2"},
            [PLAIN, ("resources1", "VGPU:1"), ("resources2", "VGPU:2"), ("group_policy", "none")],
        ),
    ],
)
def test_extra_specs_shape_the_query(specs: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert pairs(specs) == expected


def test_image_traits_join_the_flavors() -> None:
    found = pairs({"trait:CUSTOM_B": "required"}, {"trait:CUSTOM_A": "required", "traits_required": ["CUSTOM_C"]})
    assert found == [PLAIN, ("required", "CUSTOM_A,CUSTOM_B,CUSTOM_C")]


@pytest.mark.parametrize(
    ("specs", "properties", "words"),
    [
        ({"resources:VCPU": "many"}, {}, "resources:VCPU"),
        ({"resources:VCPU": "-1"}, {}, "resources:VCPU"),
        ({"trait:CUSTOM_A": "maybe"}, {}, "trait:CUSTOM_A"),
        ({"group_policy": "mixed"}, {}, "group_policy"),
        ({}, {"trait:CUSTOM_A": "forbidden"}, "trait:CUSTOM_A"),
        ({"trait:CUSTOM_A": "forbidden"}, {"trait:CUSTOM_A": "required"}, "forbids it too"),
        ({"trait:CUSTOM_A": "forbidden"}, {"traits_required": ["CUSTOM_A"]}, "forbids it too"),
    ],
)
def test_what_cannot_be_read_is_named(specs: dict[str, str], properties: dict[str, object], words: str) -> None:
    with pytest.raises(BadExtraSpec, match=words):
        pairs(specs, properties)
