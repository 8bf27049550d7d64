"""ServerGroupAntiAffinityFilter: at most so many members of the group on one host."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class ServerGroupAntiAffinityFilter(HostFilter):
    """One member per host, or as many as the group's rule max_server_per_host allows."""

    name: ClassVar[str] = "ServerGroupAntiAffinityFilter"
    user_words: ClassVar[str] = "already has as many members of the server group as its anti-affinity rule allows"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.group is not None and request.group.policy == "anti-affinity" and bool(context.members)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        group = request.group
        return group is None or context.members.get(host.host, 0) < group.max_server_per_host

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        limit = request.group.max_server_per_host if request.group is not None else 0
        uuid = request.group.uuid if request.group is not None else None
        return f"has {context.members.get(host.host, 0)} members of server group {uuid}, {limit} allowed"
