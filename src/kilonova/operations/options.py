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
    default_availability_zone: str = opt("nova", "zone of hosts that are in no aggregate with one")
    executor_thread_pool_size: int = opt(64, "operations worked on at once", min=1)
    dhcp_domain: str = opt("novalocal", "domain of host names in metadata", deprecated_group="api")
    purge_deleted_after: int = opt(0, "seconds that deleted servers stay readable; 0 keeps them")
    operation_lease: float = opt(60.0, "seconds after which others take over a silent conductor's operations", min=0.1)
    operation_sweep_interval: float = opt(5.0, "seconds between looks for operations that nobody works on", min=0.1)


@dataclass(frozen=True)
class PrecacheOptions:
    """``[image_cache]``, as far as fetching ahead of use goes."""

    GROUP: ClassVar[str] = "image_cache"
    precache_concurrency: int = opt(1, "hosts that fetch an image at the same time", min=1)
