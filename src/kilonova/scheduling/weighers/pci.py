"""PCIWeigher: PCI devices go to those who ask."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class PCIWeigher(Weigher):
    """Of the hosts with enough free devices the one with fewest is best: for no devices, a host that has none."""

    name: ClassVar[str] = "PCIWeigher"
    option: ClassVar[str] = "pci_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.pci_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        free = [host.pci_free for host in hosts]
        worst = -1 - max(free, default=0)
        return [-number if number >= request.pci_devices else worst for number in free]
