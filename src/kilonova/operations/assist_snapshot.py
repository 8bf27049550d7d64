"""Snapshots of attached volumes that are files: the volume service asks, the guest's host does it and says how it went.

It runs beside whatever else happens to the server.
"""

import contextlib
from dataclasses import dataclass

from kilonova.clients.cinder.contract import SnapshotNotFound
from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.context import Context
from kilonova.operations import volumes
from kilonova.operations.accepting import operation_row
from kilonova.operations.attach_volume import find
from kilonova.operations.guests import disk
from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import operations as journal_rows
from kilonova.store.cells import Cell

VERB = "assist_snapshot"
_MADE = "90%"
"""The volume service does the rest."""


@dataclass(frozen=True)
class AssistSnapshot:
    """The command: make a snapshot (``new_file``), or remove one."""

    device: str
    """UUID of the block device."""
    snapshot: str
    new_file: str | None = None
    top: str | None = None
    into: str | None = None
    """As in ``hypervisor.contracts.VolumeSnapshots``."""


def accept(clock: Clock, context: Context, cell: Cell, server: Row, command: AssistSnapshot) -> str:
    """Note what is wanted; id of the operation."""
    made = operation_row(context, server, VERB, command, stamp(clock.now()))
    with cell.database.write() as connection:
        journal_rows.insert(connection, [made])
    return str(made["id"])


def run(work: Work, command: AssistSnapshot) -> Outcome:
    """The volume service hears of success and of failure."""
    making = command.new_file is not None
    work.on_undo("told", lambda: _tell(work, command, "error" if making else "error_deleting"))
    host, device = work.server()["host"], find(work, command.device)
    if not host or device is None or device.connection_info is None:
        raise NotOnHost(uuid=work.uuid)
    arguments = {"uuid": work.uuid, "volume": codec.pack(disk(device))}
    if making:
        call, more = "snapshot_volume", {"new_file": command.new_file}
    else:
        call, more = "merge_volume", {"top": command.top, "into": command.into}
    data = work.step("host", lambda: work.tools.hosts.ask(host, call, {**arguments, **more}, operation=work.id))
    # The guest's next start has to begin with the file that it writes to now.
    volumes.change(work, device, connection_info={**device.connection_info, "data": data})
    work.step("report", lambda: _tell(work, command, "creating" if making else "deleting", _MADE))
    return Outcome(aside=True)


def _tell(work: Work, command: AssistSnapshot, status: str, progress: str | None = None) -> None:
    with contextlib.suppress(SnapshotNotFound):
        work.tools.volumes.snapshot_status(command.snapshot, status, progress)
