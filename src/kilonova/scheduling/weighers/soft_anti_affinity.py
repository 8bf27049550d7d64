"""ServerGroupSoftAntiAffinityWeigher: members of the group spread."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class ServerGroupSoftAntiAffinityWeigher(Weigher):
    """Fewer members of the server group on the host is better."""

    name: ClassVar[str] = "ServerGroupSoftAntiAffinityWeigher"
    option: ClassVar[str] = "soft_anti_affinity_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.soft_anti_affinity_weight_multiplier

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.group is not None and request.group.policy == "soft-anti-affinity" and bool(context.members)

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [-context.members.get(host.host, 0) for host in hosts]
