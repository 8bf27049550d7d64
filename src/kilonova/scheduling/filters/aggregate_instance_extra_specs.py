"""AggregateInstanceExtraSpecsFilter: extra specs compared with aggregate metadata."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.expressions import satisfies
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_SCOPE = "aggregate_instance_extra_specs"
_OTHERS = frozenset({"group_policy", "hide_hypervisor_id"})
"""Unscoped extra specs that placement or the hypervisor reads."""


class AggregateInstanceExtraSpecsFilter(HostFilter):
    """Each ``aggregate_instance_extra_specs:KEY`` (or unscoped KEY) needs an aggregate of the host to satisfy it."""

    name: ClassVar[str] = "AggregateInstanceExtraSpecsFilter"
    user_words: ClassVar[str] = "is in no host aggregate that the flavor asks for"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return any(True for _ in _wanted(request.flavor.extra_specs))

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return self.prepared(request, context)(host)

    def prepared(self, request: ServerRequest, context: SelectionContext) -> Callable[[HostState], bool]:
        wanted = list(_wanted(request.flavor.extra_specs))
        return lambda host: all(_meets(host, key, need) for key, need in wanted)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        unmet = [
            f"aggregate metadata {key} is {sorted(host.metadata_values(key)) or 'not set'}, wanted {need!r}"
            for key, need in _wanted(request.flavor.extra_specs)
            if not _meets(host, key, need)
        ]
        return "; ".join(unmet)


def _wanted(extra_specs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, need in extra_specs.items():
        scope, colon, name = key.partition(":")
        if colon and scope == _SCOPE:
            yield name, need
        elif not colon and key not in _OTHERS:
            yield key, need


def _meets(host: HostState, key: str, need: str) -> bool:
    return any(satisfies(value, need) for value in host.metadata_values(key))
