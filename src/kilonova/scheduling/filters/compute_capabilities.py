"""ComputeCapabilitiesFilter: extra specs compared with what the host is."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from kilonova.kit.codec import loads
from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.expressions import satisfies
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_SCOPE = "capabilities"


class ComputeCapabilitiesFilter(HostFilter):
    """Checks ``capabilities:NAME``, and ``NAME`` where hosts have such a fact; other keys are not its business."""

    name: ClassVar[str] = "ComputeCapabilitiesFilter"
    user_words: ClassVar[str] = "lacks a capability the flavor asks for"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return any(True for _ in _wanted(request.flavor.extra_specs))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return self.prepared(request, context)(host)

    def prepared(self, request: ServerRequest, context: SelectionContext) -> Callable[[HostState], bool]:
        wanted = list(_wanted(request.flavor.extra_specs))
        return lambda host: all(_meets(host, path, need, scoped=scoped) for path, need, scoped in wanted)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        unmet = [
            f"{':'.join(path)} is {_fact(host, path)!r}, wanted {need!r}"
            for path, need, scoped in _wanted(request.flavor.extra_specs)
            if not _meets(host, path, need, scoped=scoped)
        ]
        return "; ".join(unmet)


def _wanted(extra_specs: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Where the fact is, what it has to be, and whether it has to be there."""
    for key, need in extra_specs.items():
        path = tuple(key.split(":"))
        if path[0] == _SCOPE and len(path) > 1:
            yield path[1:], need, True
        elif len(path) == 1:
            yield path, need, False


def _meets(host: HostState, path: tuple[str, ...], need: str, *, scoped: bool) -> bool:
    fact = _fact(host, path)
    return satisfies(fact, need) if fact is not None else not scoped


def _fact(host: HostState, path: tuple[str, ...]) -> Any:
    """The host's attribute, following nested keys; None when there is none."""
    fact = host.attribute(path[0])
    for key in path[1:]:
        if isinstance(fact, str):
            fact = _parsed(fact)
        if not isinstance(fact, Mapping):
            return None
        fact = fact.get(key)
    return fact


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Statistics may hold JSON as text; hosts of one kind share the same text."""
    try:
        return loads(text)
    except ValueError:
        return None
