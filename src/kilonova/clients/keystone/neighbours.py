"""The neighbours that the configuration names, each made once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from kilonova.clients.keystone.neighbour import Neighbour, Patience
from kilonova.kit.clock import Clock
from kilonova.kit.options import opt
from kilonova.kit.sessions import EndpointOptions, Sessions


@dataclass(frozen=True)
class GlanceOptions:
    """What ``[glance]`` has beside the endpoint options."""

    GROUP: ClassVar[str] = "glance"
    api_servers: list[str] = opt([], "list of image endpoints")
    num_retries: int = opt(3, "retries of image API calls", min=0)


@dataclass(frozen=True)
class CinderOptions:
    """What ``[cinder]`` has beside the endpoint options."""

    GROUP: ClassVar[str] = "cinder"
    catalog_info: str = opt("volumev3::publicURL", "type:name:interface looked up in the catalog")
    endpoint_template: str | None = opt(None, "URL of the volume service instead of the catalog's")
    os_region_name: str | None = opt(None, "region of the volume service")
    cross_az_attach: bool = opt(True, "volumes may be in another zone than the server")


@dataclass(frozen=True)
class ManilaOptions:
    """What ``[manila]`` has beside the endpoint options."""

    GROUP: ClassVar[str] = "manila"
    share_apply_policy_timeout: int = opt(10, "seconds to wait for a share access rule", min=0)


@dataclass(frozen=True)
class RetryOptions:
    """``http_retries`` of ``[neutron]`` and ``[cinder]``."""

    http_retries: int = opt(3, "retries of API calls", min=0)


TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "keystone": ("Keystone", "identity"),
        "oslo_limit": ("Keystone", "identity"),
        "glance": ("Glance", "image"),
        "neutron": ("Neutron", "network"),
        "cinder": ("Cinder", "volumev3"),
        "manila": ("Manila", "shared-file-system"),
        "ironic": ("Ironic", "baremetal"),
        "placement": ("Placement", "placement"),
    }
)
"""Section → the name in messages, and the default service type."""


def neighbour(sessions: Sessions, section: str, clock: Clock | None = None) -> Neighbour:
    """The neighbour of ``[section]``. Reads options only: nothing is called yet. Raises BadConfiguration."""
    title, service_type = TITLES[section]
    options = sessions.options(section)
    retries = _retries(sessions, section)
    if section == "glance":
        servers = sessions.configuration.section(GlanceOptions).api_servers
        options = replace(options, endpoint_override=options.endpoint_override or (servers[0] if servers else None))
    if section == "cinder":
        options = _of_cinder(sessions, options)
    options = replace(options, service_type=options.service_type or service_type)
    return Neighbour(title, section, sessions, options, _patience(options, retries), clock)


def _of_cinder(sessions: Sessions, options: EndpointOptions) -> EndpointOptions:
    """``catalog_info``, ``endpoint_template`` and ``os_region_name`` as endpoint options."""
    own = sessions.configuration.section(CinderOptions)
    kind, name, interface = [*own.catalog_info.split(":"), "", ""][:3]
    template = (own.endpoint_template or "").split("/%(")[0]
    return replace(
        options,
        service_type=options.service_type or kind or None,
        service_name=options.service_name or name or None,
        valid_interfaces=[interface.removesuffix("URL")] if interface else options.valid_interfaces,
        region_name=options.region_name or own.os_region_name,
        endpoint_override=options.endpoint_override or template or None,
    )


def _retries(sessions: Sessions, section: str) -> int:
    if section == "glance":
        return sessions.configuration.section(GlanceOptions).num_retries
    if section in ("neutron", "cinder"):
        return sessions.configuration.section(RetryOptions, section).http_retries
    return Patience.connect


def _patience(options: EndpointOptions, retries: int) -> Patience:
    plain = Patience()
    codes = frozenset(int(code) for code in options.retriable_status_codes)
    delay = options.connect_retry_delay if options.connect_retry_delay is not None else options.status_code_retry_delay
    return Patience(
        connect=retries if options.connect_retries is None else options.connect_retries,
        status=plain.status if options.status_code_retries is None else options.status_code_retries,
        delay=plain.delay if delay is None else delay,
        codes=codes or plain.codes,
    )
