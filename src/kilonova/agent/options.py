"""Options of a compute host."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.options import opt


@dataclass(frozen=True)
class AgentOptions:
    """``[DEFAULT]``, as far as a compute host uses it (nova-conf.tsv)."""

    GROUP: ClassVar[str] = "DEFAULT"
    compute_driver: str | None = opt(
        None, "hypervisor driver: libvirt.LibvirtDriver (also when unset) or fake.FakeDriver"
    )
    report_interval: int = opt(10, "seconds between reports that this service lives", min=1)
    update_resources_interval: int = opt(0, "seconds between resource reports; 0 means 60", min=-1)
    sync_power_state_interval: int = opt(600, "seconds between looks at power states; negative: never")
    reserved_host_cpus: int = opt(0, "CPUs kept from servers", min=0)
    reserved_host_memory_mb: int = opt(512, "memory kept from servers, MiB", min=0)
    reserved_host_disk_mb: int = opt(0, "disk kept from servers, MiB", min=0)
    cpu_allocation_ratio: float | None = opt(None, "VCPU overcommit, set at each report", min=0.0)
    ram_allocation_ratio: float | None = opt(None, "memory overcommit, set at each report", min=0.0)
    disk_allocation_ratio: float | None = opt(None, "disk overcommit, set at each report", min=0.0)
    initial_cpu_allocation_ratio: float = opt(4.0, "VCPU overcommit of a new host", min=0.0)
    initial_ram_allocation_ratio: float = opt(1.0, "memory overcommit of a new host", min=0.0)
    initial_disk_allocation_ratio: float = opt(1.0, "disk overcommit of a new host", min=0.0)
    resize_confirm_window: int = opt(0, "seconds after which a resize that came here is confirmed; 0: never", min=0)
    instance_usage_audit: bool = opt(False, "have told at the end of each period which servers existed in it")
    instance_usage_audit_period: str = opt("month", "hour, day, month or year, with @offset if wanted")
    volume_usage_poll_interval: int = opt(0, "seconds between looks at the use of volumes; 0: never", min=0)
    compute_monitors: list[str] = opt([], "what is measured of this host: cpu.virt_driver")
    running_deleted_instance_action: str = opt(
        "reap", "what to do with guests nobody wants", choices=["reap", "log", "shutdown", "noop"]
    )
    running_deleted_instance_poll_interval: int = opt(1800, "seconds between looks for such guests")


@dataclass(frozen=True)
class WorkaroundOptions:
    """``[workarounds]``, as far as compute hosts read it."""

    GROUP: ClassVar[str] = "workarounds"
    handle_virt_lifecycle_events: bool = opt(True, "look at guests as soon as the hypervisor tells of a change")
