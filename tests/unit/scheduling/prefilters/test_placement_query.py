from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from kilonova.scheduling.hosts import Aggregate
from kilonova.scheduling.options import SchedulerOptions
from kilonova.scheduling.prefilters.facts import DeploymentFacts
from kilonova.scheduling.prefilters.placement_query import placement_query
from kilonova.scheduling.request import FlavorFacts, ImageFacts, ResourceGroup, ServerRequest

MakeRequest = Callable[..., ServerRequest]
ALWAYS = [("root_required", "!COMPUTE_STATUS_DISABLED"), ("limit", "1000")]


def test_a_plain_request(make_request: MakeRequest) -> None:
    found = placement_query(make_request(), DeploymentFacts(), SchedulerOptions())
    assert found == [("resources", "DISK_GB:10,MEMORY_MB:512,VCPU:2"), *ALWAYS]


def test_much_at_once(make_request: MakeRequest) -> None:
    request = make_request(
        extra_specs={"trait:CUSTOM_SSD": "required", "hw:cpu_policy": "dedicated"},
        image=ImageFacts("i", "raw", {"trait:CUSTOM_A": "required"}),
        boot_from_volume=True,
        availability_zone="west",
        resource_groups=(ResourceGroup("-port", {"VGPU": 1}),),
    )
    facts = DeploymentFacts(
        (Aggregate("w", {"availability_zone": "west"}), Aggregate("g", {"trait:CUSTOM_GPU": "required"})),
        requested_provider="rp",
    )
    options = SchedulerOptions(max_placement_results=5, enable_isolated_aggregate_filtering=True)
    assert placement_query(request, facts, options) == [
        ("resources", "MEMORY_MB:512,PCPU:2"),
        ("required", "CUSTOM_A,CUSTOM_SSD"),
        ("member_of", "in:w"),
        ("in_tree", "rp"),
        ("member_of", "!in:g"),
        ("resources-port", "VGPU:1"),
        ("root_required", "!COMPUTE_STATUS_DISABLED"),
        ("limit", "5"),
    ]


def test_without_ungrouped_resources_traits_move_to_the_root(make_request: MakeRequest) -> None:
    specs = {"resources:VCPU": "0", "resources:MEMORY_MB": "0", "resources:DISK_GB": "0", "trait:CUSTOM_A": "required"}
    request = make_request(extra_specs={**specs, "resources1:CUSTOM_METAL": "1"}, availability_zone="west")
    facts = DeploymentFacts((Aggregate("w", {"availability_zone": "west"}),), requested_provider="rp")
    assert placement_query(request, facts, SchedulerOptions()) == [
        ("resources1", "CUSTOM_METAL:1"),
        ("member_of1", "in:w"),
        ("in_tree1", "rp"),
        ("root_required", "CUSTOM_A,!COMPUTE_STATUS_DISABLED"),
        ("limit", "1000"),
    ]


@given(st.integers(1, 64), st.integers(1, 10**6), st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 10**6))
def test_amounts_are_never_too_small(vcpus: int, memory: int, root: int, ephemeral: int, swap: int) -> None:
    flavor = FlavorFacts("m", vcpus, memory, root, ephemeral, swap)
    found = dict(placement_query(ServerRequest(("s",), "p", "u", flavor), DeploymentFacts(), SchedulerOptions()))
    amounts = {name: int(amount) for name, amount in (part.split(":") for part in found["resources"].split(","))}
    local = root * 1024 + ephemeral * 1024 + swap
    assert (amounts["VCPU"], amounts["MEMORY_MB"]) == (vcpus, memory)
    assert local <= amounts.get("DISK_GB", 0) * 1024 < local + 1024
