"""ServerGroupAffinityFilter: all members of the group on the same host."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class ServerGroupAffinityFilter(HostFilter):
    """Once a group has a member, only its host passes."""

    name: ClassVar[str] = "ServerGroupAffinityFilter"
    user_words: ClassVar[str] = "does not run the other members of the server group"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.group is not None and request.group.policy == "affinity" and bool(context.members)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return host.host in context.members

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        uuid = request.group.uuid if request.group is not None else None
        return f"server group {uuid} is on {', '.join(sorted(context.members))}"
