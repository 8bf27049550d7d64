"""AggregateImagePropertiesIsolation: aggregate metadata and image properties of one name agree."""

from collections.abc import Iterator
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class AggregateImagePropertiesIsolation(HostFilter):
    """Metadata whose key is also a property of the image must hold the image's value."""

    name: ClassVar[str] = "AggregateImagePropertiesIsolation"
    user_words: ClassVar[str] = "is kept for other image properties by its host aggregate"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return bool(request.image_properties) and not context.metadata_keys.isdisjoint(request.image_properties)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return not host.aggregates or not any(True for _ in _differing(host, request, context))

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        return "; ".join(
            f"aggregate metadata {key} is {sorted(host.metadata_values(key))}, the image has {value!r}"
            for key, value in _differing(host, request, context)
        )


def _differing(host: HostState, request: ServerRequest, context: SelectionContext) -> Iterator[tuple[str, str]]:
    """Image properties the host's aggregates have other values for."""
    options = context.options.filters
    namespace = options.aggregate_image_properties_isolation_namespace
    prefix = f"{namespace}{options.aggregate_image_properties_isolation_separator}" if namespace else ""
    for key, value in request.image_properties.items():
        if not key.startswith(prefix) or value is None:
            continue
        allowed = host.metadata_values(key)
        if allowed and str(value) not in allowed:
            yield key, str(value)
