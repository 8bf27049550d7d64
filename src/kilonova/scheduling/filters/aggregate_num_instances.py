"""AggregateNumInstancesFilter: NumInstancesFilter with limits per aggregate."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.filters.limits import smallest
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class AggregateNumInstancesFilter(HostFilter):
    """Aggregate metadata max_instances_per_host overrides the option; the smallest wins."""

    name: ClassVar[str] = "AggregateNumInstancesFilter"
    user_words: ClassVar[str] = "runs as many servers as a host may"

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.num_instances < smallest(
            host, "max_instances_per_host", context.options.filters.max_instances_per_host
        )

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        limit = smallest(host, "max_instances_per_host", context.options.filters.max_instances_per_host)
        return f"{host.num_instances} servers are here, the limit is {limit}"
