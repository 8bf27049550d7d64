"""BuildFailureWeigher: recent build failures."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class BuildFailureWeigher(Weigher):
    """Hosts whose builds failed of late go to the end."""

    name: ClassVar[str] = "BuildFailureWeigher"
    option: ClassVar[str] = "build_failure_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.build_failure_weight_multiplier

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        return [-host.failed_builds for host in hosts]
