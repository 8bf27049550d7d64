"""A host as the scheduler sees it. Made by the thousand, so slots and shared tuples; never changed in place.

Field names that flavors and hints may use (``capabilities:free_ram_mb``, ``$free_ram_mb``) are the public ones.
"""

import copy
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from kilonova.scheduling.request import MIB_PER_GIB, ServerRequest


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """A host aggregate; hosts of one aggregate share the object, which is compared by identity."""

    uuid: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class HostState:
    """One compute node. ``provider`` is its root resource provider, ``cell`` the uuid of its cell."""

    host: str
    node: str
    provider: str
    cell: str
    service_up: bool = True
    service_disabled: bool = False
    disabled_reason: str | None = None
    zone: str | None = None
    aggregates: tuple[Aggregate, ...] = ()
    vcpus_total: int = 0
    vcpus_used: int = 0
    cpu_allocation_ratio: float = 1.0
    total_usable_ram_mb: int = 0
    free_ram_mb: int = 0
    ram_allocation_ratio: float = 1.0
    total_usable_disk_gb: int = 0
    free_disk_mb: int = 0
    disk_available_least: int | None = None
    disk_allocation_ratio: float = 1.0
    hypervisor_type: str = ""
    hypervisor_version: int = 0
    host_ip: str | None = None
    supported_instances: tuple[tuple[str, str, str], ...] = ()
    """(architecture, hypervisor type, guest mode), each a combination the host can run."""
    cpu_info: Mapping[str, Any] = field(default_factory=dict)
    num_instances: int = 0
    num_io_ops: int = 0
    failed_builds: int = 0
    pci_free: int = 0
    server_uuids: AbstractSet[str] = frozenset()
    image_props: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Image property and value to the number of servers here that have it."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)

    def with_server(self, request: ServerRequest, server_uuid: str) -> "HostState":
        """The host as it will be once the server is there."""
        after = copy.copy(self)
        after.vcpus_used += request.flavor.vcpus
        after.free_ram_mb -= request.flavor.memory_mb
        after.free_disk_mb -= request.disk_gb * MIB_PER_GIB
        after.num_instances += 1
        after.num_io_ops += 1
        after.pci_free -= request.pci_devices
        after.server_uuids = self.server_uuids | {server_uuid}
        return after

    def attribute(self, name: str) -> Any:
        """The value behind a public attribute name of filters; None when there is none."""
        derived = _DERIVED.get(name)
        if derived is not None:
            return derived(self)
        return getattr(self, name) if name in _PLAIN else None

    def metadata_values(self, key: str) -> set[str]:
        """All values the host's aggregates have under ``key``, comma lists taken apart."""
        return {part.strip() for a in self.aggregates if key in a.metadata for part in a.metadata[key].split(",")}


_PLAIN = frozenset(HostState.__slots__) - {"image_props", "server_uuids"}
_DERIVED: dict[str, Callable[[HostState], Any]] = {
    "uuid": lambda h: h.provider,
    "cell_uuid": lambda h: h.cell,
    "nodename": lambda h: h.node,
    "hypervisor_hostname": lambda h: h.node,
    "vcpus": lambda h: h.vcpus_total,
    "memory_mb": lambda h: h.total_usable_ram_mb,
    "memory_mb_used": lambda h: h.total_usable_ram_mb - h.free_ram_mb,
    "local_gb": lambda h: h.total_usable_disk_gb,
    "disk_mb_used": lambda h: h.total_usable_disk_gb * MIB_PER_GIB - h.free_disk_mb,
    "local_gb_used": lambda h: (h.total_usable_disk_gb * MIB_PER_GIB - h.free_disk_mb) // MIB_PER_GIB,
    "free_disk_gb": lambda h: h.free_disk_mb // MIB_PER_GIB,
    "running_vms": lambda h: h.num_instances,
    "current_workload": lambda h: h.num_io_ops,
    "supported_hv_specs": lambda h: h.supported_instances,
    "aggregates": lambda h: [a.uuid for a in h.aggregates],
}
