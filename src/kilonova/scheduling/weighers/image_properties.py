"""ImagePropertiesWeigher: servers of like images gather."""

from collections.abc import Sequence
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext, ratios
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest
from kilonova.scheduling.weighers.contract import Weigher


class ImagePropertiesWeigher(Weigher):
    """More servers whose image has equal properties is better.

    ``image_props_weight_setting`` narrows this to certain properties, with a ratio each.
    """

    name: ClassVar[str] = "ImagePropertiesWeigher"
    option: ClassVar[str] = "image_props_weight_multiplier"

    def multiplier(self, context: SelectionContext) -> float:
        return context.options.filters.image_props_weight_multiplier

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(request.image_properties)

    def raw(self, hosts: Sequence[HostState], request: ServerRequest, context: SelectionContext) -> Sequence[float]:
        weights = ratios(
            context.options.filters.image_props_weight_setting, "[filter_scheduler] image_props_weight_setting"
        )
        wanted = [
            ((key, str(value)), weights.get(key, 0.0) if weights else 1.0)
            for key, value in request.image_properties.items()
        ]
        return [sum(ratio * host.image_props.get(pair, 0) for pair, ratio in wanted) for host in hosts]
