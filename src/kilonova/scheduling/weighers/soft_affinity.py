"""ServerGroupSoftAffinityWeigher: members of the group gather."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class ServerGroupSoftAffinityWeigher(Weigher):
    """More members of the server group on the host is better."""

    name: ClassVar[str] = "ServerGroupSoftAffinityWeigher"
    option: ClassVar[str] = "soft_affinity_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.soft_affinity_weight_multiplier

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.group is not None and request.group.policy == "soft-affinity" and bool(context.members)

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [context.members.get(host.host, 0) for host in hosts]
