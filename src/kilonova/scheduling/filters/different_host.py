"""DifferentHostFilter: not where certain servers are."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class DifferentHostFilter(HostFilter):
    """The hint ``different_host`` names servers to stay away from."""

    name: ClassVar[str] = "DifferentHostFilter"
    user_words: ClassVar[str] = "runs a server that the different_host hint names"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(request.hint_list("different_host"))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.server_uuids.isdisjoint(request.hint_list("different_host"))

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        there = sorted(host.server_uuids & set(request.hint_list("different_host")))
        return f"runs {', '.join(there)} of the hint different_host"
