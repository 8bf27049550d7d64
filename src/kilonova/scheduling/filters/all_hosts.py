"""AllHostsFilter: refuses nothing."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class AllHostsFilter(HostFilter):
    """Passes every host."""

    name: ClassVar[str] = "AllHostsFilter"
    user_words: ClassVar[str] = "never refuses"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return False

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return True

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return f"{host.host} was not refused"
