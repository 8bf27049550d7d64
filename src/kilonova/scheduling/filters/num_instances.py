"""NumInstancesFilter: so many servers on a host and no more."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class NumInstancesFilter(HostFilter):
    """The limit is [filter_scheduler] max_instances_per_host."""

    name: ClassVar[str] = "NumInstancesFilter"
    user_words: ClassVar[str] = "runs as many servers as a host may"

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.num_instances < context.options.filters.max_instances_per_host

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        limit = context.options.filters.max_instances_per_host
        return f"{host.num_instances} servers are here, the limit is {limit}"
