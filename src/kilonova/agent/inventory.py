"""A node's facts as Placement's inventory and traits."""

from collections.abc import Mapping

from kilonova.agent.options import AgentOptions
from kilonova.clients.placement.facts import Inventory
from kilonova.hypervisor.contracts import NodeFacts


def inventory(node: NodeFacts, options: AgentOptions, known: Mapping[str, Inventory]) -> dict[str, Inventory]:
    """VCPU, MEMORY_MB, DISK_GB of a node.

    An operator's change of a ratio in Placement stays, unless the option sets the ratio outright.
    """
    wanted = {
        "VCPU": (node.vcpus, options.reserved_host_cpus, options.cpu_allocation_ratio),
        "MEMORY_MB": (node.memory_mb, options.reserved_host_memory_mb, options.ram_allocation_ratio),
        "DISK_GB": (node.disk_gb, -(-options.reserved_host_disk_mb // 1024), options.disk_allocation_ratio),
    }
    initial = {
        "VCPU": options.initial_cpu_allocation_ratio,
        "MEMORY_MB": options.initial_ram_allocation_ratio,
        "DISK_GB": options.initial_disk_allocation_ratio,
    }
    found: dict[str, Inventory] = {}
    for name, (total, reserved, ratio) in wanted.items():
        if total <= 0:
            continue
        kept = known[name].allocation_ratio if name in known else initial[name]
        found[name] = Inventory(
            total=total,
            reserved=min(reserved, total),
            max_unit=total,
            allocation_ratio=ratio or kept,
        )
    return found
