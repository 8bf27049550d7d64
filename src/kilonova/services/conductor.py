"""``nova-conductor``: runs operations, and is the only way to the database for compute hosts."""

import logging
import sys
import threading
import uuid as uuids
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from kilonova.clients.keystone.neighbours import ManilaOptions
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.clock import Clock, SystemClock, stamp
from kilonova.kit.loops import Loop, stop_together
from kilonova.kit.metrics import METRICS
from kilonova.kit.monitoring import Check
from kilonova.kit.notices import NoticeOptions, Notices
from kilonova.kit.options import Configuration
from kilonova.kit.rpc.contract import Address, Bus, Listener
from kilonova.operations import shelve, soft_delete, vendor_data
from kilonova.operations.accepting import Acceptor
from kilonova.operations.actions import VERBS
from kilonova.operations.announcing import Announcer
from kilonova.operations.caching import cache_images
from kilonova.operations.host_reports import HostReports
from kilonova.operations.hosts import Hosts
from kilonova.operations.journal import Journal, confirm_mappings
from kilonova.operations.options import ConductorOptions, PrecacheOptions
from kilonova.operations.work import Checkpoint, Tools
from kilonova.services import program
from kilonova.services.parts import CELLS_REREAD, Liveness, cell_bus, checks_of, open_store, placer_of
from kilonova.services.process import Neighbours, ProcessOptions, neighbours, notices_of
from kilonova.services.tokens import ConsoleTokens
from kilonova.store import hosts as host_rows
from kilonova.store.cells import Cell, Store

LOG = logging.getLogger(__name__)
TOPIC = "conductor"
BINARY = "nova-conductor"
_REPORT_SECONDS = 10.0
_SILENT_AFTER = 30.0


def tools_of(
    configuration: Configuration,
    store: Store,
    bus: Bus,
    others: Neighbours,
    *,
    clock: Clock | None = None,
    checkpoint: Checkpoint | None = None,
    notices: Notices | None = None,
) -> Tools:
    """Everything operations are handed."""
    options = configuration.section(ConductorOptions)
    turn = clock or SystemClock()
    placer = placer_of(configuration, store, others, turn)
    hosts = Hosts(bus, Liveness(store, turn, options.service_down_time))
    extra: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
    if notices is not None and (notices.versioned or notices.unversioned):
        host = configuration.section(ProcessOptions).host_name
        extra["announcer"] = Announcer(
            notices, configuration.section(NoticeOptions), host, turn, options.instance_usage_audit_period
        )
    return Tools(
        store=store,
        clock=turn,
        hosts=hosts,
        images=others.images,
        networks=others.networks,
        resources=others.resources,
        volumes=others.volumes,
        shares=others.shares,
        share_timeout=configuration.section(ManilaOptions).share_apply_policy_timeout,
        chooser=placer,
        metadata=vendor_data.guest_options(configuration, options.dhcp_domain),
        options=options,
        precache_concurrency=configuration.section(PrecacheOptions).precache_concurrency,
        limits=others.limits,
        quota=configuration.section(QuotaOptions),
        **extra,
    )


class Conductor:
    """One conductor process's work."""

    def __init__(
        self,
        tools: Tools,
        bus: Bus,
        host: str,
        *,
        binaries: Sequence[str] = (BINARY,),
        bus_of: Callable[[Cell], Bus] | None = None,
    ) -> None:
        """``bus_of`` gives the bus of a cell's hosts; the same as the own one without it."""
        self.tools = tools
        self._bus_of = bus_of or (lambda _cell: bus)
        options = tools.options
        lease = timedelta(seconds=options.operation_lease)
        self.journal = Journal(tools, VERBS, threads=options.executor_thread_pool_size, lease=lease)
        self._bus = bus
        self._host = host
        self._listener: Listener | None = None
        self._of_cells: dict[int, Listener | None] = {}
        self._binaries = binaries
        self._acceptor = Acceptor(clock=tools.clock, bell=self._ring_all)
        self._lease_loop = Loop("lease", options.operation_lease / 4, self.journal.renew)
        self._alive_loop = Loop("alive", _REPORT_SECONDS, self._alive)
        self._loops = [
            Loop("cells", CELLS_REREAD, self._look_for_cells),
            Loop("sweep", options.operation_sweep_interval, self.journal.sweep),
            self._alive_loop,
            Loop("mappings", 20.0, lambda: confirm_mappings(tools)),
            Loop("reclaim", options.reclaim_interval, lambda: soft_delete.reclaim(tools, self._acceptor)),
            Loop("shelf", options.offload_interval, lambda: shelve.offload_due(tools, self._acceptor)),
        ]

    def start(self) -> None:
        """Join the bus, take up what was left."""
        own = [cell for cell in self.tools.store.working if self._bus_of(cell) is self._bus]
        handlers = {
            "operation.ring": self._ring,
            "ports.plugged": self._plugged,
            "images.cache": self._cache_images,
            **ConsoleTokens(self.tools.store, self.tools.clock, self.tools.hosts).handlers(),
            **(self._for_hosts(own[0]) if own else {}),
        }
        self._of_cells = {cell.id: None for cell in own}
        self._listener = self._bus.serve(Address(TOPIC, self._host), handlers, threads=32)
        for loop in (self._lease_loop, *self._loops):
            loop.start()
        METRICS.at_scrape(self.journal.tell)

    def demand_report(self) -> None:
        """Raises Unavailable when this conductor has not said in the database that it lives."""
        self._alive_loop.demand_success(_SILENT_AFTER)

    def _for_hosts(self, cell: Cell) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            **HostReports(self.tools, cell).handlers(),
            **ConsoleTokens(self.tools.store, self.tools.clock, self.tools.hosts).handlers(),
        }

    def _look_for_cells(self) -> None:
        """Answer the hosts of cells that were added, each on its broker."""
        self.tools.store.refresh()
        for cell in self.tools.store.working:
            if cell.id not in self._of_cells:
                self._of_cells[cell.id] = None
                # A broker that is away is waited for: that must not hold up the other cells.
                threading.Thread(target=self._listen, args=(cell,), name=f"cell-{cell.name}", daemon=True).start()

    def _listen(self, cell: Cell) -> None:
        listener = self._bus_of(cell).serve(Address(TOPIC, self._host), self._for_hosts(cell), threads=32)
        self._of_cells[cell.id] = listener
        LOG.info("Answering the hosts of cell %s", cell.name)

    def stop(self) -> None:
        """Finish running operations."""
        for listener in (self._listener, *self._of_cells.values()):
            if listener is not None:
                listener.stop()
        stop_together(self._loops)
        self.journal.stop()  # as long as something runs, its lease must be prolonged
        self._lease_loop.stop()

    def _ring(self, payload: Mapping[str, Any]) -> None:
        self._ring_all(payload["cell"], payload["operations"])

    def _ring_all(self, cell: int, operations: Sequence[str]) -> None:
        for operation in operations:
            self.journal.ring(cell, operation)

    def _plugged(self, payload: Mapping[str, Any]) -> None:
        for server in payload["servers"]:
            self.tools.doorbell.ring(server)

    def _cache_images(self, payload: Mapping[str, Any]) -> None:
        cache_images(self.tools, payload)

    def _alive(self) -> None:
        now = stamp(self.tools.clock.now())
        cell = self.tools.store.home
        for binary in self._binaries:
            with cell.database.write() as connection:
                new = host_rows.heartbeat(connection, self._host, binary, str(uuids.uuid4()), now)
                row = host_rows.service(connection, self._host, binary) if new else None
            if row is not None and self.tools.announcer is not None:
                self.tools.announcer.service_made(row)


def bell_of(bus: Bus) -> Any:
    """The doorbell of the API processes: losing it costs the seconds until the next sweep."""

    def ring(cell: int, operations: list[str]) -> None:
        bus.cast(Address(TOPIC), "operation.ring", {"cell": cell, "operations": operations})

    return ring


class Process:
    """A program that runs operations: a conductor with databases, bus and clients of its own."""

    @property
    def checks(self) -> Mapping[str, Check]:
        return {**checks_of(self._store, self._bus), "report": self._conductor.demand_report}

    def __init__(self, configuration: Configuration, binary: str) -> None:
        options = configuration.section(ProcessOptions)
        self._store = open_store(configuration)
        self._bus = cell_bus(configuration, self._store)
        tools = tools_of(
            configuration, self._store, self._bus, neighbours(configuration), notices=notices_of(configuration)
        )
        self._conductor = Conductor(tools, self._bus, options.host_name, binaries=(binary,), bus_of=self._bus.of_cell)

    def start(self) -> None:
        """Join the bus."""
        self._conductor.start()

    def stop(self) -> None:
        """Finish running operations."""
        self._conductor.stop()
        self._bus.close()
        self._store.dispose()


def main(argv: Sequence[str] | None = None) -> int:
    """``nova-conductor``."""
    return program.run(BINARY, argv, lambda configuration: Process(configuration, BINARY))


if __name__ == "__main__":
    sys.exit(main())
