"""Options of [scheduler], [filter_scheduler] and [metrics] that the choice of a host reads."""

from dataclasses import dataclass, field
from typing import ClassVar

from kilonova.kit.options import opt

_ARCHITECTURES = (
    "alpha armv6 armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el "
    "openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb s390 s390x sh4 sh4eb sparc sparc64 unicore32 x86_64 "
    "xtensa xtensaeb"
)
ALL_FILTERS = "nova.scheduler.filters.all_filters"
ALL_WEIGHERS = "nova.scheduler.weights.all_weighers"
DEFAULT_FILTERS = [
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
]


@dataclass(frozen=True)
class SchedulerOptions:
    """[scheduler]: how many hosts to try, and what to ask placement for."""

    GROUP: ClassVar[str] = "scheduler"
    max_attempts: int = opt(3, "hosts tried per server build", min=1)
    max_placement_results: int = opt(1000, "limit sent with candidate queries", min=1)
    query_placement_for_routed_network_aggregates: bool = opt(False, "keep to hosts of the right network segment")
    limit_tenants_to_placement_aggregate: bool = opt(False, "keep projects to aggregates marked with filter_tenant_id")
    placement_aggregate_required_for_tenants: bool = opt(False, "projects without such an aggregate get no host")
    query_placement_for_image_type_support: bool = opt(False, "require the trait of the image disk format")
    enable_isolated_aggregate_filtering: bool = opt(
        False, "keep servers lacking an aggregate's trait:* metadata off it"
    )
    discover_hosts_in_cells_interval: int = opt(
        -1, "seconds between looks for hosts to map; not above 0: never", min=-1
    )
    image_metadata_prefilter: bool = opt(False, "turn image properties into required traits")


@dataclass(frozen=True)
class FilterOptions:
    """[filter_scheduler]: which filters and weighers run, with what settings."""

    GROUP: ClassVar[str] = "filter_scheduler"
    host_subset_size: int = opt(1, "choose at random among this many best hosts", min=1)
    max_io_ops_per_host: int = opt(8, "limit of IoOpsFilter", min=0)
    max_instances_per_host: int = opt(50, "limit of NumInstancesFilter", min=1)
    available_filters: list[str] = opt([ALL_FILTERS], "importable filter classes", multi=True)
    enabled_filters: list[str] = opt(DEFAULT_FILTERS, "filters in use, in order")
    weight_classes: list[str] = opt([ALL_WEIGHERS], "weighers in use")
    ram_weight_multiplier: float = opt(1.0, "weight of free memory")
    cpu_weight_multiplier: float = opt(1.0, "weight of free vCPUs")
    disk_weight_multiplier: float = opt(1.0, "weight of free disk")
    hypervisor_version_weight_multiplier: float = opt(1.0, "weight of newer hypervisors")
    num_instances_weight_multiplier: float = opt(0.0, "weight of server count")
    io_ops_weight_multiplier: float = opt(-1.0, "weight of busy hosts (negative avoids)")
    image_props_weight_multiplier: float = opt(0.0, "weight of hosts running like images")
    image_props_weight_setting: list[str] = opt([], "image property=ratio list")
    pci_weight_multiplier: float = opt(1.0, "weight of PCI fit", min=0.0)
    soft_affinity_weight_multiplier: float = opt(1.0, "weight of soft affinity", min=0.0)
    soft_anti_affinity_weight_multiplier: float = opt(1.0, "weight of soft anti-affinity", min=0.0)
    build_failure_weight_multiplier: float = opt(1000000.0, "penalty for recent build failures")
    cross_cell_move_weight_multiplier: float = opt(1000000.0, "penalty for leaving the cell")
    shuffle_best_same_weighed_hosts: bool = opt(False, "shuffle hosts of equal best weight")
    image_properties_default_architecture: str | None = opt(
        None, "architecture assumed when the image has none", choices=_ARCHITECTURES.split()
    )
    isolated_images: list[str] = opt([], "images tied to isolated hosts")
    isolated_hosts: list[str] = opt([], "hosts reserved for those images")
    restrict_isolated_hosts_to_isolated_images: bool = opt(True, "keep other images off those hosts")
    aggregate_image_properties_isolation_namespace: str | None = opt(None, "metadata prefix compared by that filter")
    aggregate_image_properties_isolation_separator: str = opt(".", "separator after that prefix")


@dataclass(frozen=True)
class MetricsOptions:
    """[metrics]: the metrics weigher and filter."""

    GROUP: ClassVar[str] = "metrics"
    weight_multiplier: float = opt(1.0, "weight of the metrics weigher")
    weight_setting: list[str] = opt([], "metric=ratio list")
    required: bool = opt(True, "host without the metric raises an error when true")
    weight_of_unavailable: float = opt(-10000.0, "weight of hosts lacking metrics when not required")


@dataclass(frozen=True)
class SchedulingOptions:
    """The three sections together, as ``select`` and ``placement_query`` want them."""

    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    filters: FilterOptions = field(default_factory=FilterOptions)
    metrics: MetricsOptions = field(default_factory=MetricsOptions)
