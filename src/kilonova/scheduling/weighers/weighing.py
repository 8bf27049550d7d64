"""Adding up what the weighers say: each brought to [0, 1] over the hosts at hand, times its multiplier."""

from collections.abc import Iterable, Sequence

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


def weigh(
    hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext, weighers: Iterable[Weigher]
) -> list[float]:
    """The weight of each host, in order; the highest is the best."""
    total = [0.0] * len(hosts)
    for weigher in weighers:
        multiplier = weigher.multiplier(context)
        overridden = weigher.option in context.metadata_keys
        if (not multiplier and not overridden) or not weigher.applies(request, context):
            continue
        raw = weigher.raw(hosts, request, context)
        low, high = min(raw, default=0.0), max(raw, default=0.0)
        if low == high:  # says nothing about these hosts
            continue
        if overridden:
            scale = [_multiplier(host, weigher.option, multiplier) / (high - low) for host in hosts]
            total = [before + (value - low) * by for before, value, by in zip(total, raw, scale, strict=True)]
        else:
            factor = multiplier / (high - low)
            total = [before + (value - low) * factor for before, value in zip(total, raw, strict=True)]
    return total


def _multiplier(host: HostState, option: str, default: float) -> float:
    """The smallest number the host's aggregates set, else the configured one."""
    numbers = [number for value in host.metadata_values(option) if (number := _number(value)) is not None]
    return min(numbers, default=default)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
