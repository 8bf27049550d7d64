"""HypervisorVersionWeigher: newer hypervisors."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class HypervisorVersionWeigher(Weigher):
    """A newer hypervisor is better, so that moves go forwards."""

    name: ClassVar[str] = "HypervisorVersionWeigher"
    option: ClassVar[str] = "hypervisor_version_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.hypervisor_version_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.hypervisor_version for host in hosts]
