"""What processes with databases are made of: the stores, the Compute API's collaborators."""

import functools
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
from kilonova.kit.errors import Unavailable
from kilonova.kit.monitoring import Check
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.contract import Address, Bus
from kilonova.operations.hosts import Hosts
from kilonova.operations.placing import Placer
from kilonova.scheduling.options import FilterOptions, MetricsOptions, SchedulerOptions, SchedulingOptions
from kilonova.scheduling.select import Chooser
from kilonova.services.cell_bus import CellBus
from kilonova.services.process import Neighbours, ProcessOptions, bus_at, bus_of, notices_of
from kilonova.store import cells
from kilonova.store import hosts as host_rows
from kilonova.store.cells import Cell, Store

CELLS_REREAD = 10.0
"""Seconds after which a cell that was added, enabled or disabled is known to all processes."""


def open_store(configuration: Configuration) -> Store:
    """The API database and every enabled cell's. Raises BadConfiguration naming the option that is missing."""
    options = configuration.section(DatabaseOptions, "api_database")
    if not options.connection:
        raise BadConfiguration(reason="[api_database] connection is not set")
    api = Database(options)
    usual = configuration.section(DatabaseOptions)
    transport = configuration.section(ProcessOptions).transport_url

    def reread(known: tuple[Cell, ...]) -> tuple[Cell, ...]:
        kept = {(cell.id, cell.connection): cell.database for cell in known}
        found = []
        for row in cells.mappings(api, usual.connection, transport):
            url = row["database_connection"]
            database = kept.get((row["id"], url)) or Database(replace(usual, connection=url))
            names = (row["id"], row["uuid"], row["name"] or "")
            found.append(Cell(*names, database, bool(row["disabled"]), row["transport_url"], url))
        return tuple(found)

    store = Store(api, reread(()), reread=reread)
    if len(store.working) > 1 and not any(cell.is_cell0 for cell in store.cells):
        raise BadConfiguration(reason="there are several cells but no cell0; run nova-manage cell_v2 map_cell0")
    store.strays = len(store.working) == 1 and cells.any_in_cell0(api)
    return store


def cell_bus(configuration: Configuration, store: Store) -> CellBus:
    """The bus of ``transport_url``, and the cells' own. Raises BadConfiguration."""
    options = configuration.section(ProcessOptions)
    own = bus_of(configuration, options)
    return CellBus(store, own, options.transport_url, lambda url: bus_at(configuration, url))


def checks_of(store: Store, bus: Bus | None) -> dict[str, Check]:
    """What a process with databases and a bus needs: not every cell, for one may be away."""

    def a_cell() -> None:
        troubles = []
        for cell in store.working:
            try:
                cell.database.check()
            except Unavailable as error:
                troubles.append(f"{cell.name}: {error}")
            else:
                return
        raise Unavailable("; ".join(troubles) or "no cell is mapped")

    return {"api database": store.api.check, "cells": a_cell, **({"broker": bus.check} if bus is not None else {})}


def checks_apart(configuration: Configuration, *, broker: bool = True) -> dict[str, Check]:
    """The same with connections of their own, made when they are first asked for."""
    names = ["api database", "cells", *(["broker"] if broker else [])]

    @functools.cache
    def made() -> tuple[Store, Bus | None]:
        return open_store(configuration), bus_of(
            configuration, configuration.section(ProcessOptions)
        ) if broker else None

    def ask(name: str) -> Check:
        def check() -> object:
            return checks_of(*made())[name]()

        return check

    return {name: ask(name) for name in names}


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
        precache=lambda wanted: bus.cast(Address("conductor"), "images.cache", wanted),
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
        cell = self._store.cell_of_host(host)
        if cell is None:
            return False
        with cell.database.read() as connection:
            return host_rows.is_up(host_rows.service(connection, host), oldest)
