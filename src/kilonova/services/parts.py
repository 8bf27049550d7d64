"""What processes with databases are made of: the stores, the Compute API's collaborators."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from kilonova.api.wiring import (
    ApiOptions,
    Compute,
    ComputeOptions,
    ConsoleUrlOptions,
    ConsoleUrls,
    DiskOptions,
    MksUrlOptions,
    SerialUrlOptions,
    SpiceUrlOptions,
    TokenOptions,
)
from kilonova.clients.keystone.neighbours import CinderOptions
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.contract import Address, Bus
from kilonova.operations.hosts import Hosts
from kilonova.operations.placing import Placer
from kilonova.scheduling.options import FilterOptions, MetricsOptions, SchedulerOptions, SchedulingOptions
from kilonova.scheduling.select import Chooser
from kilonova.services.process import Neighbours, notices_of
from kilonova.store import cells
from kilonova.store import hosts as host_rows
from kilonova.store.cells import Cell, Store


def open_store(configuration: Configuration) -> Store:
    """The API database and every enabled cell's. Raises BadConfiguration naming the option that is missing."""
    options = configuration.section(DatabaseOptions, "api_database")
    if not options.connection:
        raise BadConfiguration(reason="[api_database] connection is not set")
    api = Database(options)
    usual = configuration.section(DatabaseOptions)
    found = []
    for row in cells.mappings(api):
        if not row["disabled"]:
            cell_options = replace(usual, connection=row["database_connection"])
            found.append(Cell(row["id"], row["uuid"], row["name"] or "", Database(cell_options)))
    return Store(api, tuple(found))


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
        volumes=others.volumes,
        shares=others.shares,
        nodes=others.nodes,
        notices=notices_of(configuration),
        limits=others.limits,
        placer=placer_of(configuration, store, others, clock),
        disks=configuration.section(DiskOptions),
        cross_az_attach=configuration.section(CinderOptions).cross_az_attach,
        hosts=Hosts(bus, Liveness(store, clock, compute.service_down_time)),
        bell=bell,
        doorbell=lambda servers: bus.cast(Address("conductor"), "ports.plugged", {"servers": servers}),
        precache=lambda hosts, images: bus.cast(
            Address("conductor"), "images.cache", {"hosts": hosts, "images": images}
        ),
        console=console_urls(configuration),
    )


def console_urls(configuration: Configuration) -> ConsoleUrls:
    """Which consoles are offered, and where."""
    return ConsoleUrls(
        configuration.section(ConsoleUrlOptions),
        configuration.section(TokenOptions),
        configuration.section(SpiceUrlOptions),
        configuration.section(SerialUrlOptions),
        configuration.section(MksUrlOptions),
    )


def scheduling_options(configuration: Configuration) -> SchedulingOptions:
    """The sections of the choice of a host."""
    return SchedulingOptions(
        configuration.section(SchedulerOptions),
        configuration.section(FilterOptions),
        configuration.section(MetricsOptions),
    )


def placer_of(configuration: Configuration, store: Store, others: Neighbours, clock: Clock) -> Placer:
    """What chooses hosts. Raises BadSchedulerOption."""
    options = configuration.section(ComputeOptions)
    chooser = Chooser.of(scheduling_options(configuration))
    zone = options.default_availability_zone
    return Placer(store, others.resources, chooser, clock, down_after=options.service_down_time, zone=zone)


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
