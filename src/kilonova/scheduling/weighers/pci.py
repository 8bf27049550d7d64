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
        enough = [host.pci_free >= request.pci_devices for host in hosts]
        worst = -1 - max((host.pci_free for host in hosts), default=0)
        return [-host.pci_free if fits else worst for host, fits in zip(hosts, enough, strict=True)]
