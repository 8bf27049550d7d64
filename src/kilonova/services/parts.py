"""Parts that several processes are made of: databases, neighbours, the bus, loops."""

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from kilonova.api.wiring import ApiOptions, Compute, ComputeOptions, ConsoleUrlOptions, ConsoleUrls, TokenOptions
from kilonova.clients.glance.http import HttpGlance
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.clients.placement.http import HttpPlacement
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import BadConfiguration, Configuration, opt
from kilonova.kit.rpc.contract import Bus
from kilonova.kit.sessions import Sessions
from kilonova.operations.hosts import Hosts
from kilonova.store import cells
from kilonova.store import hosts as host_rows
from kilonova.store.cells import Cell, Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessOptions:
    """``[DEFAULT]``: what every process needs to know of itself."""

    GROUP: ClassVar[str] = "DEFAULT"
    host: str = opt("", "name of this host; empty means the machine's")
    my_ip: str = opt("127.0.0.1", "this host's address")
    state_path: str = opt("/var/lib/nova", "directory for what services keep")
    transport_url: str | None = opt(None, "message bus", secret=True)
    debug: bool = opt(False, "log more")
    osapi_compute_listen: str = opt("0.0.0.0", "address of the Compute API")
    osapi_compute_listen_port: int = opt(8774, "port of the Compute API")
    osapi_compute_workers: int | None = opt(None, "processes of the Compute API")
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


def neighbours(configuration: Configuration, mounts: Mapping[str, Any] | None = None) -> Neighbours:
    """HTTP clients as the configuration's sections say."""
    sessions = Sessions(configuration, mounts)
    return Neighbours(
        images=HttpGlance(neighbour(sessions, "glance")),
        networks=ApiNeutron(HttpNetworkApi(neighbour(sessions, "neutron"))),
        resources=HttpPlacement(neighbour(sessions, "placement")),
    )


def open_store(configuration: Configuration) -> Store:
    """The API database and every enabled cell's. Raises BadConfiguration naming the option that is missing."""
    options = configuration.section(DatabaseOptions, "api_database")
    if not options.connection:
        raise BadConfiguration(reason="[api_database] connection is not set")
    api = Database(options)
    found = []
    for row in cells.mappings(api):
        if not row["disabled"]:
            cell_options = DatabaseOptions(connection=row["database_connection"])
            found.append(Cell(row["id"], row["uuid"], row["name"] or "", Database(cell_options)))
    return Store(api, tuple(found))


def bus_of(configuration: Configuration, options: ProcessOptions) -> Bus:
    """The broker's bus. Raises BadConfiguration without ``transport_url``."""
    if not options.transport_url:
        raise BadConfiguration(reason="[DEFAULT] transport_url is not set")
    from kilonova.kit.rpc.rabbit import RabbitBus  # noqa: PLC0415  # the all-in-one never loads the broker's libraries

    return RabbitBus(configuration)


def api_parts(
    configuration: Configuration, store: Store, others: Neighbours, bus: Bus, bell: Callable[..., None], clock: Clock
) -> Compute:
    """The Compute API's collaborators."""
    compute = configuration.section(ComputeOptions)
    return Compute(
        store=store,
        api=configuration.section(ApiOptions),
        compute=compute,
        clock=clock,
        quota=configuration.section(QuotaOptions),
        images=others.images,
        networks=others.networks,
        resources=others.resources,
        hosts=Hosts(bus, Liveness(store, clock, compute.service_down_time)),
        bell=bell,
        console=ConsoleUrls(configuration.section(ConsoleUrlOptions), configuration.section(TokenOptions)),
    )


class Liveness:
    """Whether a compute host's service has reported lately."""

    def __init__(self, store: Store, clock: Clock, down_after: int) -> None:
        self._store = store
        self._clock = clock
        self._down_after = timedelta(seconds=down_after)

    def __call__(self, host: str) -> bool:
        oldest = stamp(self._clock.now() - self._down_after)
        for cell in self._store.working:
            with cell.database.read() as connection:
                found = host_rows.service(connection, host)
            if found is not None:
                return host_rows.is_up(found, oldest)
        return False
