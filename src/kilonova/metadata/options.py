"""Options of the metadata service."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.domain.guest_data import GuestDataOptions
from kilonova.kit.options import Configuration, opt
from kilonova.kit.recent import Recent
from kilonova.kit.sessions import Sessions
from kilonova.operations import vendor_data


@dataclass(frozen=True)
class ServiceOptions:
    """``[api]``, as far as the metadata service uses it."""

    GROUP: ClassVar[str] = "api"
    metadata_cache_expiration: int = opt(15, "seconds that a server's metadata is kept; 0 keeps none", min=0)
    dhcp_domain: str = opt("novalocal", "domain of host names", deprecated_group="DEFAULT")
    use_forwarded_for: bool = opt(False, "trust X-Forwarded-For when requests come without the proxy")


@dataclass(frozen=True)
class ProxyOptions:
    """``[neutron]``, as far as the metadata service uses it."""

    GROUP: ClassVar[str] = "neutron"
    service_metadata_proxy: bool = opt(False, "requests come through the network service's proxy, signed")
    metadata_proxy_shared_secret: str = opt("", "secret of that signature", secret=True)


@dataclass(frozen=True)
class MetadataOptions:
    """All of them."""

    service: ServiceOptions = field(default_factory=ServiceOptions)
    proxy: ProxyOptions = field(default_factory=ProxyOptions)
    guest: GuestDataOptions = field(default_factory=GuestDataOptions)
    networks_of: Callable[[str], Collection[str]] = lambda _provider: ()
    """Ids of the networks behind a load balancer (``advanced_service_providers`` of Neutron's subnets)."""

    @classmethod
    def of(cls, configuration: Configuration) -> "MetadataOptions":
        """As configured. Raises BadConfiguration (vendor data file)."""
        service = configuration.section(ServiceOptions)
        guest = vendor_data.guest_options(configuration, service.dhcp_domain)
        kept: Recent[Mapping[str, Any]] = Recent(float(service.metadata_cache_expiration))
        ask = guest.ask_vendor
        guest = replace(guest, ask_vendor=lambda row: kept.get(row["uuid"], lambda: ask(row)))
        return cls(service, configuration.section(ProxyOptions), guest, _networks_of(configuration))


def _networks_of(configuration: Configuration) -> Callable[[str], Collection[str]]:
    @functools.cache
    def neutron() -> HttpNetworkApi:
        return HttpNetworkApi(neighbour(Sessions(configuration), "neutron"))

    def ask(provider: str) -> Collection[str]:
        query = [("advanced_service_providers", provider), ("fields", "network_id")]
        return {row["network_id"] for row in neutron().rows("subnets", query)}

    return ask
