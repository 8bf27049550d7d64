import pytest

from kilonova.agent.inventory import inventory
from kilonova.agent.options import AgentOptions
from kilonova.clients.placement.facts import Inventory
from kilonova.hypervisor.contracts import NodeFacts

NODE = NodeFacts(
    name="n",
    uuid="u",
    hypervisor_type="fake",
    hypervisor_version=1,
    host_ip="127.0.0.1",
    vcpus=8,
    memory_mb=4096,
    disk_gb=100,
    free_disk_gb=90,
)


def test_a_new_node_gets_the_initial_ratios() -> None:
    found = inventory(NODE, AgentOptions(), {})
    assert found["VCPU"] == Inventory(total=8, reserved=0, max_unit=8, allocation_ratio=4.0)
    assert found["MEMORY_MB"] == Inventory(total=4096, reserved=512, max_unit=4096, allocation_ratio=1.0)
    assert found["DISK_GB"] == Inventory(total=100, reserved=0, max_unit=100, allocation_ratio=1.0)


def test_an_operators_ratio_in_placement_stays() -> None:
    known = {"VCPU": Inventory(total=8, allocation_ratio=16.0)}
    assert inventory(NODE, AgentOptions(), known)["VCPU"].allocation_ratio == 16.0


def test_an_option_sets_the_ratio_outright() -> None:
    known = {"VCPU": Inventory(total=8, allocation_ratio=16.0)}
    assert inventory(NODE, AgentOptions(cpu_allocation_ratio=2.0), known)["VCPU"].allocation_ratio == 2.0


@pytest.mark.parametrize(("mib", "gib"), [(0, 0), (1, 1), (1024, 1), (1025, 2)])
def test_reserved_disk_is_rounded_up(mib: int, gib: int) -> None:
    assert inventory(NODE, AgentOptions(reserved_host_disk_mb=mib), {})["DISK_GB"].reserved == gib


def test_no_more_is_reserved_than_there_is() -> None:
    assert inventory(NODE, AgentOptions(reserved_host_memory_mb=9999), {})["MEMORY_MB"].reserved == 4096
