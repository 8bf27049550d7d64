"""CrossCellWeigher: a moving server stays in its cell."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class CrossCellWeigher(Weigher):
    """Hosts of the cell the server comes from go first; new servers have none."""

    name: ClassVar[str] = "CrossCellWeigher"
    option: ClassVar[str] = "cross_cell_move_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.cross_cell_move_weight_multiplier

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.source_cell is not None

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.cell == request.source_cell for host in hosts]
