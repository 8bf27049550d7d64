"""What every process is made of, also those that never open a database: options, neighbours, the bus."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kilonova.clients.cinder.http import HttpCinder
from kilonova.clients.glance.http import HttpGlance
from kilonova.clients.ironic.http import HttpNodes
from kilonova.clients.keystone.limits import HttpLimits, UnifiedLimitsOptions
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.manila.http import HttpManila
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.clients.placement.http import HttpPlacement
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.notices import DriverOptions, Notices, Silent
from kilonova.kit.options import BadConfiguration, Configuration, opt
from kilonova.kit.rpc.contract import Bus
from kilonova.kit.sessions import Sessions


@dataclass(frozen=True)
class ProcessOptions:
    """``[DEFAULT]``: what every process needs to know of itself."""

    GROUP: ClassVar[str] = "DEFAULT"
    host: str = opt("", "name of this host; empty means the machine's")
    my_ip: str = opt("127.0.0.1", "this host's address")
    state_path: str = opt("/var/lib/nova", "directory for what services keep")
    transport_url: str | None = opt(None, "message bus", secret=True)
    osapi_compute_listen: str = opt("0.0.0.0", "address of the Compute API")
    osapi_compute_listen_port: int = opt(8774, "port of the Compute API")
    osapi_compute_workers: int | None = opt(None, "processes of the Compute API")
    metadata_listen: str = opt("0.0.0.0", "address of the metadata service")
    metadata_listen_port: int = opt(8775, "port of the metadata service")
    metadata_workers: int | None = opt(None, "processes of nova-api-metadata")
    enabled_apis: list[str] = opt(["osapi_compute", "metadata"], "APIs that nova-api serves")

    @property
    def host_name(self) -> str:
        """``host``, or the machine's name."""
        return self.host or socket.gethostname()


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Clients of the other services."""

    images: Any
    networks: Any
    resources: Any
    volumes: Any = None
    shares: Any = None
    nodes: Any = None
    limits: Any = None
    """clients.keystone.limits, where limits are unified."""


def notices_of(configuration: Configuration) -> Notices:
    """Where notifications go: nowhere, unless ``[oslo_messaging_notifications] driver`` names a driver."""
    if not configuration.section(DriverOptions).wanted:
        return Silent()
    from kilonova.kit.rpc.notices import OsloNotices  # noqa: PLC0415  # the library is only loaded where it is used

    return OsloNotices(configuration)


def neighbours(configuration: Configuration, mounts: Mapping[str, Any] | None = None) -> Neighbours:
    """HTTP clients as the configuration's sections say."""
    sessions = Sessions(configuration, mounts)
    return Neighbours(
        images=HttpGlance(neighbour(sessions, "glance")),
        networks=ApiNeutron(HttpNetworkApi(neighbour(sessions, "neutron"))),
        resources=HttpPlacement(neighbour(sessions, "placement")),
        volumes=HttpCinder(neighbour(sessions, "cinder")),
        shares=HttpManila(neighbour(sessions, "manila")),
        nodes=HttpNodes(neighbour(sessions, "ironic")),
        limits=_limits(configuration, sessions),
    )


def _limits(configuration: Configuration, sessions: Sessions) -> HttpLimits | None:
    if not configuration.section(QuotaOptions).unified:
        return None
    return HttpLimits(neighbour(sessions, "oslo_limit"), configuration.section(UnifiedLimitsOptions))


def bus_of(configuration: Configuration, options: ProcessOptions) -> Bus:
    """The broker's bus. Raises BadConfiguration without ``transport_url``."""
    if not options.transport_url:
        raise BadConfiguration(reason="[DEFAULT] transport_url is not set")
    return bus_at(configuration, options.transport_url)


def bus_at(configuration: Configuration, url: str) -> Bus:
    """The bus of any broker, with the options of ``[oslo_messaging_rabbit]``. Raises BadConfiguration."""
    from kilonova.kit.rpc.rabbit import RabbitBus  # noqa: PLC0415  # the all-in-one never loads the broker's libraries

    return RabbitBus(configuration, url)
