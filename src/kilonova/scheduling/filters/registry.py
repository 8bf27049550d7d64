"""The filters by name, and operators' own filters by dotted path."""

from kilonova.scheduling.errors import BadSchedulerOption
from kilonova.scheduling.filters.aggregate_image_properties_isolation import AggregateImagePropertiesIsolation
from kilonova.scheduling.filters.aggregate_instance_extra_specs import AggregateInstanceExtraSpecsFilter
from kilonova.scheduling.filters.aggregate_io_ops import AggregateIoOpsFilter
from kilonova.scheduling.filters.aggregate_multi_tenancy_isolation import AggregateMultiTenancyIsolation
from kilonova.scheduling.filters.aggregate_num_instances import AggregateNumInstancesFilter
from kilonova.scheduling.filters.aggregate_type_affinity import AggregateTypeAffinityFilter
from kilonova.scheduling.filters.all_hosts import AllHostsFilter
from kilonova.scheduling.filters.compute import ComputeFilter
from kilonova.scheduling.filters.compute_capabilities import ComputeCapabilitiesFilter
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.filters.different_host import DifferentHostFilter
from kilonova.scheduling.filters.image_properties import ImagePropertiesFilter
from kilonova.scheduling.filters.io_ops import IoOpsFilter
from kilonova.scheduling.filters.isolated_hosts import IsolatedHostsFilter
from kilonova.scheduling.filters.json_query import JsonFilter
from kilonova.scheduling.filters.metrics import MetricsFilter
from kilonova.scheduling.filters.num_instances import NumInstancesFilter
from kilonova.scheduling.filters.same_host import SameHostFilter
from kilonova.scheduling.filters.server_group_affinity import ServerGroupAffinityFilter
from kilonova.scheduling.filters.server_group_anti_affinity import ServerGroupAntiAffinityFilter
from kilonova.scheduling.filters.simple_cidr_affinity import SimpleCIDRAffinityFilter
from kilonova.scheduling.options import ALL_FILTERS, FilterOptions
from kilonova.scheduling.plugins import plugins

BUILT_IN: dict[str, type[HostFilter]] = {
    cls.name: cls
    for cls in (
        AllHostsFilter,
        ComputeFilter,
        ComputeCapabilitiesFilter,
        ImagePropertiesFilter,
        ServerGroupAntiAffinityFilter,
        ServerGroupAffinityFilter,
        DifferentHostFilter,
        SameHostFilter,
        SimpleCIDRAffinityFilter,
        JsonFilter,
        AggregateInstanceExtraSpecsFilter,
        AggregateImagePropertiesIsolation,
        AggregateMultiTenancyIsolation,
        AggregateTypeAffinityFilter,
        IoOpsFilter,
        AggregateIoOpsFilter,
        NumInstancesFilter,
        AggregateNumInstancesFilter,
        IsolatedHostsFilter,
        MetricsFilter,
    )
}


def enabled_filters(options: FilterOptions) -> list[HostFilter]:
    """The filters in use, in order. Raises BadSchedulerOption naming what is wrong."""
    known = plugins(
        options.available_filters,
        BUILT_IN,
        HostFilter,  # type: ignore[type-abstract]  # plug-ins are its concrete subclasses
        everything=ALL_FILTERS,
        option="[filter_scheduler] available_filters",
    )
    return [_made(name, known) for name in options.enabled_filters]


def _made(name: str, known: dict[str, type[HostFilter]]) -> HostFilter:
    if name not in known:
        raise BadSchedulerOption(
            option="[filter_scheduler] enabled_filters",
            reason=f"{name!r} is not a known filter; known are {', '.join(sorted(known))}",
        )
    return known[name]()
