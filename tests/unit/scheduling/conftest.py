"""Hosts and requests of a few words, and how a filter judges or a weigher orders them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from kilonova.scheduling.context import SelectionContext, metadata_keys
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import Aggregate, HostState
from kilonova.scheduling.options import FilterOptions, MetricsOptions, SchedulingOptions
from kilonova.scheduling.request import FlavorFacts, ServerRequest
from kilonova.scheduling.weighers.contract import Weigher
from kilonova.scheduling.weighers.weighing import weigh

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]
Order = Callable[..., list[float]]


@pytest.fixture(scope="session")
def make_host() -> MakeHost:
    """``make_host("h1", metadata=({...}, {...}), **facts)``: one aggregate per mapping."""

    def make(name: str = "h1", metadata: Sequence[Mapping[str, str]] = (), **facts: Any) -> HostState:
        aggregates = tuple(Aggregate(f"agg-{number}", values) for number, values in enumerate(metadata))
        return HostState(name, name, f"rp-{name}", facts.pop("cell", "cell1"), aggregates=aggregates, **facts)

    return make


@pytest.fixture(scope="session")
def make_request() -> MakeRequest:
    """A request for one server of a small flavor; ``extra_specs`` go to the flavor."""

    def make(**facts: Any) -> ServerRequest:
        servers = facts.pop("server_uuids", ("s1",))
        flavor = facts.pop("flavor", None) or FlavorFacts(
            "m1.tiny", 2, 512, 10, extra_specs=facts.pop("extra_specs", {})
        )
        return ServerRequest(servers, "project", "user", flavor, **facts)

    return make


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Whether a filter lets a host through, asked the way ``select`` asks; a refusal must have its reason."""

    def judged(
        filter_: HostFilter,
        host: HostState,
        request: ServerRequest,
        *,
        members: Mapping[str, int] | None = None,
        options: FilterOptions | None = None,
        metrics: MetricsOptions | None = None,
    ) -> bool:
        settings = SchedulingOptions(filters=options or FilterOptions(), metrics=metrics or MetricsOptions())
        context = SelectionContext(settings, members or {}, metadata_keys([host]))
        passes = filter_.passes(host, request, context)
        if filter_.applies(request, context):
            assert passes or filter_.reason(host, request, context)
            return passes
        assert passes, "a filter that says it does not apply would have refused"
        return True

    return judged


@pytest.fixture(scope="session")
def order() -> Order:
    """The weights one weigher alone gives."""

    def ordered(
        weigher: Weigher,
        hosts: Sequence[HostState],
        request: ServerRequest,
        *,
        members: Mapping[str, int] | None = None,
        options: FilterOptions | None = None,
        metrics: MetricsOptions | None = None,
    ) -> list[float]:
        settings = SchedulingOptions(filters=options or FilterOptions(), metrics=metrics or MetricsOptions())
        context = SelectionContext(settings, members or {}, metadata_keys(hosts))
        return weigh(hosts, request, context, [weigher])

    return ordered
