"""Options of the metadata service."""

from dataclasses import dataclass, field
from typing import ClassVar

from kilonova.domain.guest_data import GuestDataOptions
from kilonova.kit.options import Configuration, opt
from kilonova.operations import vendor_data
from kilonova.operations.vendor_data import VendorDataOptions


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

    @classmethod
    def of(cls, configuration: Configuration) -> "MetadataOptions":
        """As configured. Raises BadConfiguration (vendor data file)."""
        service = configuration.section(ServiceOptions)
        vendor = vendor_data.load(configuration.section(VendorDataOptions))
        guest = GuestDataOptions(service.dhcp_domain, vendor)
        return cls(service, configuration.section(ProxyOptions), guest)
