"""Attaching a volume to a server that exists. Its device was written at the accept, so it has its name already."""

from dataclasses import dataclass

from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.kit.errors import KilonovaError
from kilonova.operations import volumes
from kilonova.operations.guests import disk, specification
from kilonova.operations.work import Outcome, Row, Work
from kilonova.store import block_devices


@dataclass(frozen=True)
class AttachVolume:
    """The command."""

    device: str
    """UUID of the block device."""


def run(work: Work, command: AttachVolume) -> Outcome:
    """The volume is in the guest, or its device is gone again. A server without a host gets it when it has one."""
    server = work.server()
    work.on_undo("device", lambda: _forget(work, command.device))
    if find(work, command.device) is None:
        return Outcome(aside=True)  # its volume was detached meanwhile
    work.step("reserve", lambda: _reserve(work, command.device), undo=lambda: _release(work, command))
    if server["host"]:
        _on_host(work, server, command.device)
    work.step("complete", lambda: work.tools.volumes.complete(_need(work, command.device).attachment_id))
    return Outcome(aside=True)


def find(work: Work, uuid: str) -> BlockDevice | None:
    """One device of the server as it is now."""
    return next((device for device in volumes.own(work) if device.uuid == uuid), None)


class DeviceGone(KilonovaError):
    """Nothing is left to attach."""

    template = "Block device {uuid} is gone"


def _need(work: Work, uuid: str) -> BlockDevice:
    device = find(work, uuid)
    if device is None:
        raise DeviceGone(uuid=uuid)
    return device


def _reserve(work: Work, uuid: str) -> None:
    volumes.reserve(work, _need(work, uuid))


def _on_host(work: Work, server: Row, uuid: str) -> None:
    host = server["host"]

    def connect() -> None:
        volumes.connect(work, _need(work, uuid), volumes.connector_of(work, host))

    def attach() -> None:
        arguments = {"spec": specification(work, server), "volume": codec.pack(disk(_need(work, uuid)))}
        work.tools.hosts.ask(host, "attach_volume", arguments, operation=work.id)

    work.step("connect", connect)
    work.step(
        "host", attach, undo=lambda: pull(work, host, find(work, uuid), revokes=work.id), host=host, announce=True
    )


def pull(work: Work, host: str, device: BlockDevice | None, *, revokes: str | None = None) -> None:
    """Take a volume out of the guest. Raises HypervisorFailed when the guest does not let go, HostDown."""
    if device is not None and device.connection_info is not None:
        arguments = {"uuid": work.uuid, "volume": codec.pack(disk(device))}
        call = f"{work.id}:{device.uuid}"
        work.tools.hosts.ask(host, "detach_volume", arguments, operation=call, revokes=revokes)


def _release(work: Work, command: AttachVolume) -> None:
    device = find(work, command.device)
    if device is not None:
        volumes.release(work, device)
        volumes.change(work, device, attachment_id=None, connection_info=None)


def _forget(work: Work, uuid: str) -> None:
    with work.cell.database.write() as connection:
        block_devices.remove(connection, work.uuid, uuid, work.now())
