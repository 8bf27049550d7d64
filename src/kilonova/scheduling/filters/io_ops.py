"""IoOpsFilter: hosts busy with server operations drop out."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class IoOpsFilter(HostFilter):
    """The limit is [filter_scheduler] max_io_ops_per_host."""

    name: ClassVar[str] = "IoOpsFilter"
    user_words: ClassVar[str] = "is busy with too many server operations"

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.num_io_ops < context.options.filters.max_io_ops_per_host

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        limit = context.options.filters.max_io_ops_per_host
        return f"{host.num_io_ops} servers are being built, moved, snapshotted or rescued, the limit is {limit}"
