"""``nova-scheduler``: one more runner of operations.

The choice of a host is a library inside the operation that needs it, so there is nothing to ask another process for.
An operator who starts schedulers gets more of what does the choosing; docs/adr says why.
"""

import contextlib
import logging
import sys
from collections.abc import Sequence

from kilonova.kit.errors import Unavailable
from kilonova.kit.loops import Loop, stop_together
from kilonova.kit.options import Configuration
from kilonova.scheduling.options import SchedulerOptions
from kilonova.services import conductor, program
from kilonova.store import host_mappings
from kilonova.store.cells import Store

LOG = logging.getLogger(__name__)
BINARY = "nova-scheduler"


def discover(store: Store) -> None:
    """Map new compute hosts of every cell that answers; what another scheduler maps at the same moment is mapped."""
    for cell in store.working:
        with contextlib.suppress(host_mappings.RacedWithAnother, Unavailable):
            with cell.database.read() as connection:
                there = host_mappings.in_cell(connection)
            for host in host_mappings.add_new(store.api, cell.id, there):
                LOG.info("Host %s is mapped to cell %s from now on", host, cell.name)


class Process(conductor.Process):
    """A conductor's work, and looking for new hosts as ``[scheduler] discover_hosts_in_cells_interval`` says."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration, BINARY)
        interval = configuration.section(SchedulerOptions).discover_hosts_in_cells_interval
        self._loops = [Loop("discover hosts", interval, lambda: discover(self._store))] if interval > 0 else []

    def start(self) -> None:
        """Join the bus, look for hosts."""
        super().start()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Finish running operations."""
        stop_together(self._loops)
        super().stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run(BINARY, argv, Process)


if __name__ == "__main__":
    sys.exit(main())
