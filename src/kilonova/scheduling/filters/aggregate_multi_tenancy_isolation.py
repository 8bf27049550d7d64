"""AggregateMultiTenancyIsolation: aggregates reserved for projects."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_PREFIX = "filter_tenant_id"


class AggregateMultiTenancyIsolation(HostFilter):
    """Hosts in aggregates with filter_tenant_id* metadata take only the projects listed there."""

    name: ClassVar[str] = "AggregateMultiTenancyIsolation"
    user_words: ClassVar[str] = "is reserved for other projects"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return any(key.startswith(_PREFIX) for key in context.metadata_keys)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        if not host.aggregates:
            return True
        projects = _projects(host)
        return not projects or request.project_id in projects

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return f"its aggregates are for projects {', '.join(sorted(_projects(host)))}, not {request.project_id}"


def _projects(host: HostState) -> set[str]:
    keys = {key for aggregate in host.aggregates for key in aggregate.metadata if key.startswith(_PREFIX)}
    return {project for key in keys for project in host.metadata_values(key)}
