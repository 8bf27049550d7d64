"""AggregateTypeAffinityFilter: aggregates reserved for flavors."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_KEY = "instance_type"


class AggregateTypeAffinityFilter(HostFilter):
    """Hosts in aggregates with ``instance_type`` metadata take only the flavors named there."""

    name: ClassVar[str] = "AggregateTypeAffinityFilter"
    user_words: ClassVar[str] = "is reserved for other flavors"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return _KEY in context.metadata_keys

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        if not host.aggregates:
            return True
        names = host.metadata_values(_KEY)
        return not names or request.flavor.name in names

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        names = ", ".join(sorted(host.metadata_values(_KEY)))
        return f"its aggregates are for flavors {names}, not {request.flavor.name}"
