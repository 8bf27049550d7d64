"""What a weigher is. Operator plug-ins subclass ``Weigher`` and are named in [filter_scheduler] weight_classes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class Weigher(ABC):
    """Gives every host a raw number; ``weighing.weigh`` brings them to [0, 1] and multiplies. Stateless."""

    name: ClassVar[str]
    """Class name in weight_classes."""
    option: ClassVar[str]
    """Name of the multiplier; aggregate metadata of that name overrides it for the aggregate's hosts."""

    @abstractmethod
    def multiplier(self, context: SelectionContext) -> float:
        """The configured multiplier."""

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        """Asked once per request: False when all hosts would weigh the same."""
        return True

    @abstractmethod
    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        """One number per host, in order; the scale does not matter."""
