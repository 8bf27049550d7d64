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
_OTHERS = frozenset({"group_policy", "hide_hypervisor_id"})
"""Unscoped extra specs that placement or the hypervisor reads."""


class ComputeCapabilitiesFilter(HostFilter):
    """Checks ``capabilities:NAME`` and unscoped extra specs; keys of other namespaces are not its business."""

    name: ClassVar[str] = "ComputeCapabilitiesFilter"
    user_words: ClassVar[str] = "lacks a capability the flavor asks for"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return any(True for _ in _wanted(request.flavor.extra_specs))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return self.prepared(request, context)(host)

    def prepared(self, request: ServerRequest, context: SelectionContext) -> Callable[[HostState], bool]:
        wanted = list(_wanted(request.flavor.extra_specs))
        return lambda host: all(_meets(host, path, need) for path, need in wanted)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        unmet = [
            f"{':'.join(path)} is {_fact(host, path)!r}, wanted {need!r}"
            for path, need in _wanted(request.flavor.extra_specs)
            if not _meets(host, path, need)
        ]
        return "; ".join(unmet)


def _wanted(extra_specs: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, need in extra_specs.items():
        path = tuple(key.split(":"))
        if path[0] == _SCOPE and len(path) > 1:
            yield path[1:], need
        elif len(path) == 1 and key not in _OTHERS:
            yield path, need


def _meets(host: HostState, path: tuple[str, ...], need: str) -> bool:
    fact = _fact(host, path)
    return fact is not None and satisfies(fact, need)


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
