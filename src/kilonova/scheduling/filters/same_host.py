"""SameHostFilter: only where certain servers are."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class SameHostFilter(HostFilter):
    """The hint ``same_host`` names servers of which at least one must be on the host."""

    name: ClassVar[str] = "SameHostFilter"
    user_words: ClassVar[str] = "runs none of the servers that the same_host hint names"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(request.hint_list("same_host"))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        wanted = request.hint_list("same_host")
        return not wanted or not host.server_uuids.isdisjoint(wanted)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return f"runs none of {', '.join(request.hint_list('same_host'))} (hint same_host)"
