"""AggregateIoOpsFilter: IoOpsFilter with limits per aggregate."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.filters.limits import smallest
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class AggregateIoOpsFilter(HostFilter):
    """Aggregate metadata max_io_ops_per_host overrides the option; the smallest wins."""

    name: ClassVar[str] = "AggregateIoOpsFilter"
    user_words: ClassVar[str] = "is busy with too many server operations"

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.num_io_ops < smallest(host, "max_io_ops_per_host", context.options.filters.max_io_ops_per_host)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        limit = smallest(host, "max_io_ops_per_host", context.options.filters.max_io_ops_per_host)
        return f"{host.num_io_ops} servers are being built, moved, snapshotted or rescued, the limit is {limit}"
