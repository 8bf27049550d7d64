"""SimpleCIDRAffinityFilter: near an address."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.errors import BadHint
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest


class SimpleCIDRAffinityFilter(HostFilter):
    """Hints ``build_near_host_ip`` and ``cidr`` (default /24): the host's address must be in that network."""

    name: ClassVar[str] = "SimpleCIDRAffinityFilter"
    user_words: ClassVar[str] = "is outside the network of the build_near_host_ip hint"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return request.hint("build_near_host_ip") is not None

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        near = request.hint("build_near_host_ip")
        if near is None:
            return True
        return host.host_ip is not None and ip_address(host.host_ip) in _network(near, request.hint("cidr") or "/24")

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        near, cidr = request.hint("build_near_host_ip"), request.hint("cidr") or "/24"
        return f"address {host.host_ip} is not in {near}/{cidr.lstrip('/')}"


@lru_cache(maxsize=64)
def _network(near: str, cidr: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(f"{near}/{cidr.lstrip('/')}", strict=False)
    except ValueError as error:
        raise BadHint(hint="build_near_host_ip/cidr", reason=str(error)) from error
