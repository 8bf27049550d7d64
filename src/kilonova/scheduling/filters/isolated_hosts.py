"""IsolatedHostsFilter: certain images only on certain hosts."""

from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class IsolatedHostsFilter(HostFilter):
    """Isolated images go to isolated hosts only; other images stay off those unless the option allows it."""

    name: ClassVar[str] = "IsolatedHostsFilter"
    user_words: ClassVar[str] = "is reserved for other images, or not among the hosts this image is tied to"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        options = context.options.filters
        return bool(options.isolated_hosts or options.isolated_images)

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        options = context.options.filters
        host_isolated = host.host in options.isolated_hosts
        if request.image is not None and request.image.id in options.isolated_images:
            return host_isolated
        return not host_isolated or not options.restrict_isolated_hosts_to_isolated_images

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        image = request.image.id if request.image is not None else None
        if host.host in context.options.filters.isolated_hosts:
            return f"is in isolated_hosts, image {image} is not in isolated_images"
        return f"image {image} is in isolated_images, the host is not in isolated_hosts"
