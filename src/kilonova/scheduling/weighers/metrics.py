"""MetricsWeigher: what hosts measure of themselves."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext, ratios
from kilonova.scheduling.errors import MetricMissing
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import MetricsOptions
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class MetricsWeigher(Weigher):
    """The sum of [metrics] weight_setting's metrics times their ratios.

    A host lacking one is an error if [metrics] required, else it weighs weight_of_unavailable.
    """

    name: ClassVar[str] = "MetricsWeigher"
    option: ClassVar[str] = "metrics_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.metrics.weight_multiplier

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(context.options.metrics.weight_setting)

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        options = context.options.metrics
        weights = ratios(options.weight_setting, "[metrics] weight_setting")
        return [_sum(host, weights, options) for host in hosts]


def _sum(host: HostState, weights: Mapping[str, float], options: MetricsOptions) -> float:
    missing = next((metric for metric in weights if metric not in host.metrics), None)
    if missing is None:
        return sum(ratio * host.metrics[metric] for metric, ratio in weights.items())
    if options.required:
        raise MetricMissing(host=host.host, metric=missing)
    return options.weight_of_unavailable
