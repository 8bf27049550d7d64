"""ComputeFilter: the compute service must be enabled and up."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class ComputeFilter(HostFilter):
    """``service_up`` was computed by the caller from the last report and [DEFAULT] service_down_time."""

    name: ClassVar[str] = "ComputeFilter"
    user_words: ClassVar[str] = "compute service down or disabled"

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.service_up and not host.service_disabled

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        if host.service_disabled:
            return f"the compute service is disabled: {host.disabled_reason or 'no reason given'}"
        return "the compute service has not reported within service_down_time"
