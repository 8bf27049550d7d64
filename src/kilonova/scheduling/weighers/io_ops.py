"""IoOpsWeigher: busy operations."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class IoOpsWeigher(Weigher):
    """The default multiplier is negative: fewer running operations are better."""

    name: ClassVar[str] = "IoOpsWeigher"
    option: ClassVar[str] = "io_ops_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.io_ops_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.num_io_ops for host in hosts]
