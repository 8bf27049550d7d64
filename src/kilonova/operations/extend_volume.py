"""An attached volume has grown: its guest is told. It runs beside whatever else happens to the server."""

from collections.abc import Sequence
from dataclasses import dataclass

from kilonova.kit import codec
from kilonova.kit.clock import Clock, stamp
from kilonova.kit.context import Context
from kilonova.operations import volumes
from kilonova.operations.accepting import operation_row
from kilonova.operations.guests import disk
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import operations as journal_rows
from kilonova.store.cells import Cell

VERB = "extend_volume"


@dataclass(frozen=True)
class ExtendVolume:
    """The command."""

    volume: str


def accept(clock: Clock, context: Context, cell: Cell, wanted: Sequence[tuple[Row, str]]) -> list[str]:
    """Note that these servers' volumes have grown; ids of the operations."""
    now = stamp(clock.now())
    made = [operation_row(context, server, VERB, ExtendVolume(volume), now) for server, volume in wanted]
    with cell.database.write() as connection:
        journal_rows.insert(connection, made)
    return [row["id"] for row in made]


def run(work: Work, command: ExtendVolume) -> Outcome:
    """The guest knows the size that the volume service tells."""
    server = work.server()
    device = next((each for each in volumes.own(work) if each.volume_id == command.volume), None)
    if device is not None and device.connection_info is not None and server["host"]:
        size = work.tools.volumes.get(None, command.volume).size
        arguments = {"uuid": work.uuid, "volume": codec.pack(disk(device)), "size_gb": size}
        work.step("host", lambda: work.tools.hosts.ask(server["host"], "extend_volume", arguments, operation=work.id))
        volumes.change(work, device, volume_size=size)
    return Outcome(aside=True)
