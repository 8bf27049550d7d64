"""RAMWeigher: free memory."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class RAMWeigher(Weigher):
    """More free memory is better, which spreads servers; a negative multiplier packs."""

    name: ClassVar[str] = "RAMWeigher"
    option: ClassVar[str] = "ram_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.ram_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.free_ram_mb for host in hosts]
