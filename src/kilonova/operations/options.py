"""Options of the conductor."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.options import opt


@dataclass(frozen=True)
class ConductorOptions:
    """``[DEFAULT]``, as far as orchestration uses it."""

    GROUP: ClassVar[str] = "DEFAULT"
    instance_name_template: str = opt("instance-%08x", "hypervisor name of a server, from its database id")
    service_down_time: int = opt(60, "seconds without a report after which a host is down")
    shutdown_timeout: int = opt(60, "seconds a guest has to shut itself down", min=0)
    vif_plugging_timeout: int = opt(300, "seconds to wait for ports to become active", min=0)
    vif_plugging_is_fatal: bool = opt(True, "fail a build whose ports do not become active")
    block_device_allocate_retries: int = opt(60, "polls for a new volume to become available", min=0)
    block_device_allocate_retries_interval: int = opt(3, "seconds between those polls", min=0)
    default_availability_zone: str = opt("nova", "zone of hosts that are in no aggregate with one")
    executor_thread_pool_size: int = opt(64, "operations worked on at once", min=1)
    dhcp_domain: str = opt("novalocal", "domain of host names in metadata", deprecated_group="api")
    purge_deleted_after: int = opt(0, "seconds that deleted servers stay readable; 0 keeps them")
    reclaim_instance_interval: int = opt(0, "seconds a deleted server can be restored; 0: deleted at once")
    shelved_offload_time: int = opt(0, "seconds a shelved server stays on its host; 0: none, -1: for ever", min=-1)
    shelved_poll_interval: int = opt(3600, "seconds between looks for shelved servers to offload; 0: the usual minute")
    reimage_timeout_per_gb: int = opt(20, "seconds for each GiB of a root volume that is rebuilt", min=1)
    instance_usage_audit_period: str = opt("month", "hour, day, month or year: what a server's usage is told of")
    operation_lease: float = opt(60.0, "seconds after which others take over a silent conductor's operations", min=0.1)
    operation_sweep_interval: float = opt(5.0, "seconds between looks for operations that nobody works on", min=0.1)

    @property
    def reclaim_interval(self) -> float:
        """Seconds between looks for servers to reclaim: a minute, or more often where less is promised."""
        return min(60.0, max(self.reclaim_instance_interval / 2, 1.0)) if self.reclaim_instance_interval > 0 else 60.0

    @property
    def offload_interval(self) -> float:
        """Seconds between looks for shelved servers to offload."""
        return float(self.shelved_poll_interval) if self.shelved_poll_interval > 0 else 60.0


@dataclass(frozen=True)
class PrecacheOptions:
    """``[image_cache]``, as far as fetching ahead of use goes."""

    GROUP: ClassVar[str] = "image_cache"
    precache_concurrency: int = opt(1, "hosts that fetch an image at the same time", min=1)
