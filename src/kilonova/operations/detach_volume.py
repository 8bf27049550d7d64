"""Detaching a volume: out of the guest first, then given back to the volume service. Repeating finishes what failed."""

import contextlib
from dataclasses import dataclass

from kilonova.domain import server as states
from kilonova.operations import volumes
from kilonova.operations.attach_volume import find, pull
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Outcome, Work
from kilonova.store import block_devices


@dataclass(frozen=True)
class DetachVolume:
    """The command."""

    device: str
    """UUID of the block device."""


def run(work: Work, command: DetachVolume) -> Outcome:
    """Without undo: what the guest has let go of goes all the way. A host that is down loses it when it comes back."""
    server = work.server()
    device = find(work, command.device)
    if device is None:
        return Outcome(aside=True)
    if server["host"]:

        def from_guest() -> None:
            with contextlib.suppress(HostDown):
                pull(work, server["host"], device)

        work.step("host", from_guest, host=server["host"], announce=True)
    work.step("release", lambda: volumes.release(work, device))
    if server["vm_state"] == states.SHELVED_OFFLOADED and device.delete_on_termination and device.volume_id:
        volumes.remove(work, device.volume_id)
    with work.cell.database.write() as connection:
        block_devices.remove(connection, work.uuid, device.uuid, work.now())
    return Outcome(aside=True)
