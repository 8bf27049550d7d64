"""Replacing an attached volume by another one: the host copies it over while the guest runs (volume migration)."""

from dataclasses import dataclass, replace
from typing import Any

from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.operations import volumes
from kilonova.operations.attach_volume import find
from kilonova.operations.guests import disk
from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Work


@dataclass(frozen=True)
class SwapVolume:
    """The command."""

    device: str
    """UUID of the block device."""
    volume: str
    """The volume that takes its place."""


def run(work: Work, command: SwapVolume) -> Outcome:
    """The device has the new volume, or still the old one; the volume service is told which."""
    server = work.server()
    host = server["host"]
    device = find(work, command.device)
    if device is None:
        return Outcome(aside=True)
    if not host:
        raise NotOnHost(uuid=work.uuid)
    old = work.step("old", lambda: codec.pack(device))
    before = codec.unpack(old, BlockDevice)
    cinder = work.tools.volumes
    after = replace(before, volume_id=command.volume, attachment_id=None, connection_info=None)
    reserved: str = work.step("reserve", lambda: _reserved(work, after), undo=lambda: _back(work, before, after))

    def connect() -> Any:
        connector = {**volumes.connector_of(work, host), "mountpoint": before.device_name}
        return dict(cinder.connect(reserved, connector).connection_info)

    info: dict[str, Any] = work.step("connect", connect)
    after = replace(after, attachment_id=reserved, connection_info=info)
    arguments = {"uuid": work.uuid, "old": codec.pack(disk(before)), "new": codec.pack(disk(after))}
    work.step(
        "host",
        lambda: work.tools.hosts.ask(host, "swap_volume", arguments, operation=work.id),
        host=host,
        announce=True,
    )
    work.step("complete", lambda: cinder.complete(reserved))
    work.step("release", lambda: cinder.release(before.attachment_id))
    named: str = work.step("told", lambda: cinder.migrated(before.volume_id, command.volume, error=False))
    volumes.change(work, before, volume_id=named, attachment_id=reserved, connection_info=info)
    return Outcome(aside=True)


def _reserved(work: Work, device: BlockDevice) -> str:
    """The id of an attachment for the new volume; one made before is found."""
    for attachment in work.tools.volumes.attachments(work.uuid):
        if attachment.volume_id == device.volume_id:
            return str(attachment.id)
    return str(work.tools.volumes.reserve(device.volume_id, work.uuid).id)


def _back(work: Work, before: BlockDevice, after: BlockDevice) -> None:
    for attachment in work.tools.volumes.attachments(work.uuid):
        if attachment.volume_id == after.volume_id:
            work.tools.volumes.release(attachment.id)
            work.tools.volumes.migrated(before.volume_id, after.volume_id, error=True)
