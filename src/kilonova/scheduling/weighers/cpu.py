"""CPUWeigher: free vCPUs."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class CPUWeigher(Weigher):
    """More vCPUs left, over-commitment counted in, is better."""

    name: ClassVar[str] = "CPUWeigher"
    option: ClassVar[str] = "cpu_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.cpu_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.vcpus_total * host.cpu_allocation_ratio - host.vcpus_used for host in hosts]
