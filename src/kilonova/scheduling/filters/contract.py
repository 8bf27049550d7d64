"""What a filter is. Operator plug-ins subclass ``HostFilter`` and are named in [filter_scheduler] available_filters."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class HostFilter(ABC):
    """Refuses hosts one by one. Stateless: everything it needs comes with the call."""

    name: ClassVar[str]
    """Name in enabled_filters."""
    user_words: ClassVar[str]
    """Why hosts are refused, for a user: a clause without any host's name or figure."""

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:  # for subclasses
        """Asked once per request: False when no host could be refused, which saves the per-host pass."""
        return True

    @abstractmethod
    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        """Whether the host may run the server."""

    def prepared(self, request: ServerRequest, context: SelectionContext) -> Callable[[HostState], bool]:
        """``passes`` for one request; override it where reading the request costs more than looking at a host."""
        return lambda host: self.passes(host, request, context)

    @abstractmethod
    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        """Why this host was refused, for an operator."""
