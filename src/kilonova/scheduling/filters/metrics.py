"""MetricsFilter: hosts must report every metric the weigher uses."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext, ratios
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class MetricsFilter(HostFilter):
    """Hosts lacking a metric of [metrics] weight_setting drop out."""

    name: ClassVar[str] = "MetricsFilter"
    user_words: ClassVar[str] = "does not report its load"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(context.options.metrics.weight_setting)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return not _missing(host, context)

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return f"does not report {', '.join(sorted(_missing(host, context)))}"


def _missing(host: HostState, context: SelectionContext) -> set[str]:
    return ratios(context.options.metrics.weight_setting, "[metrics] weight_setting").keys() - host.metrics.keys()
