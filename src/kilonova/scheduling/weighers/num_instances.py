"""NumInstancesWeigher: servers on the host."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class NumInstancesWeigher(Weigher):
    """Neutral by default; a positive multiplier packs, a negative one spreads."""

    name: ClassVar[str] = "NumInstancesWeigher"
    option: ClassVar[str] = "num_instances_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.num_instances_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [host.num_instances for host in hosts]
