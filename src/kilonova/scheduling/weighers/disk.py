"""DiskWeigher: free disk."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class DiskWeigher(Weigher):
    """More free disk is better."""

    name: ClassVar[str] = "DiskWeigher"
    option: ClassVar[str] = "disk_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.disk_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.free_disk_mb for host in hosts]
