"""A server's volumes: made, reserved, exported to its host, and given back. Each call may be repeated.

The order is the volume service's: an attachment is reserved (nobody else gets the volume), connected with the host's
connector (which gives what the host needs to reach it), used by the guest, and completed.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from kilonova.clients.cinder.contract import VolumeNotUsable
from kilonova.clients.cinder.facts import Attachment, NewVolume
from kilonova.domain.block_device import BlockDevice
from kilonova.kit.context import Context
from kilonova.kit.errors import KilonovaError
from kilonova.operations.guests import devices_of
from kilonova.operations.hosts import HostDown
from kilonova.operations.work import Row, Work
from kilonova.store import block_devices

LOG = logging.getLogger(__name__)
_WRITTEN = "downloading"
"""Status of a volume over which an image is written."""
_MADE_FOR = "block_device"
"""Metadata of a volume that names the device it was made for: a conductor that takes over finds it by that."""


class VolumeNotMade(KilonovaError):
    """The volume service could not make it, or not in time."""

    template = "Volume {volume_id} did not become available: {reason}"


class HostUnreachable(KilonovaError):
    """The host to connect a volume to is away."""

    template = "{reason}"


def own(work: Work) -> list[BlockDevice]:
    """The server's devices that are volumes."""
    return [device for device in devices_of(work, work.uuid) if device.is_volume]


def change(work: Work, device: BlockDevice, **values: Any) -> BlockDevice:
    """Write what is new of a device."""
    with work.cell.database.write() as connection:
        block_devices.update(connection, work.uuid, device.uuid, values, work.now())
    return replace(device, **values)


# -- making --
def make(work: Work, server: Row, *, token: str | None, zone: str | None) -> list[str]:
    """Volumes for devices that start from an image, a snapshot or nothing, available. Ids of those made here.

    The user's ``token`` makes them the user's. Raises VolumeNotMade, VolumeLimitExceeded.
    """
    wanted = [device for device in own(work) if device.source_type != "volume"]
    context = Context(
        user_id=server["user_id"],
        project_id=server["project_id"],
        token=token,
        request_id=work.operation["request_id"] or "",
    )
    made = [_made(work, context, device, zone) for device in wanted]
    for volume_id in made:
        _await_available(work, volume_id)
    return made


def _made(work: Work, context: Context, device: BlockDevice, zone: str | None) -> str:
    if device.volume_id is not None:
        return device.volume_id
    cinder = work.tools.volumes
    if work.resumed:
        found = cinder.list(None, [("all_tenants", "1"), ("metadata", f"{{'{_MADE_FOR}': '{device.uuid}'}}")])
        if found:
            change(work, device, volume_id=found[0].id)
            return str(found[0].id)
    size = device.volume_size or cinder.snapshot(None, device.snapshot_id).size
    new = NewVolume(
        size=size,
        image_id=device.image_id,
        snapshot_id=device.snapshot_id,
        volume_type=device.volume_type,
        zone=zone,
        metadata={_MADE_FOR: device.uuid},
    )
    volume_id: str = cinder.create(context, new).id
    change(work, device, volume_id=volume_id)
    return volume_id


def _await_available(work: Work, volume_id: str) -> None:
    """``[DEFAULT] block_device_allocate_retries`` looks, ``…_interval`` seconds apart (sooner at first)."""
    options = work.tools.options
    wait, status = 0.1, ""
    for _look in range(options.block_device_allocate_retries + 1):
        status = work.tools.volumes.get(None, volume_id).status
        if status == "available":
            return
        if status not in ("creating", "downloading"):
            break
        work.demand_wanted()
        work.tools.clock.sleep(wait)
        wait = min(wait * 2, options.block_device_allocate_retries_interval)
    raise VolumeNotMade(volume_id=volume_id, reason=f"it is {status}")


def unmake(work: Work) -> None:
    """Take back what ``make`` made, whether or not it came to an end."""
    for device in own(work):
        if device.source_type != "volume":
            if device.volume_id is not None:
                remove(work, device.volume_id)
            for lost in _lost(work, device):
                remove(work, lost)
            change(work, device, volume_id=None)


def _lost(work: Work, device: BlockDevice) -> list[str]:
    """Volumes that a conductor which died had begun to make, unrecorded."""
    if not work.resumed:
        return []
    query = [("all_tenants", "1"), ("metadata", f"{{'{_MADE_FOR}': '{device.uuid}'}}")]
    return [volume.id for volume in work.tools.volumes.list(None, query) if volume.id != device.volume_id]


def remove(work: Work, volume_id: str) -> None:
    """Delete a volume; one that cannot be deleted is left to its owner."""
    try:
        work.tools.volumes.delete(None, volume_id)
    except VolumeNotUsable as error:
        LOG.warning("Volume %s of server %s stays: %s", volume_id, work.uuid, error)


def reimage_root(work: Work, image_id: str) -> None:
    """Write an image over the root volume, which is attached to no host. Raises VolumeNotMade."""
    cinder, options = work.tools.volumes, work.tools.options
    volume = cinder.get(None, next(device.volume_id for device in own(work) if device.is_root))
    if volume.status != _WRITTEN:  # a conductor that died may have begun it
        cinder.reimage(volume.id, image_id)
    deadline = work.tools.clock.monotonic() + options.reimage_timeout_per_gb * volume.size
    while (status := cinder.get(None, volume.id).status) == _WRITTEN and work.tools.clock.monotonic() < deadline:
        work.demand_wanted()
        work.tools.clock.sleep(options.block_device_allocate_retries_interval)
    if status == _WRITTEN or status.startswith("error"):
        raise VolumeNotMade(volume_id=volume.id, reason=f"it is {status} after it was to be rebuilt")


# -- attaching --
def reserve(work: Work, device: BlockDevice) -> BlockDevice:
    """The device with an attachment; one that a conductor which died had reserved is found. Raises VolumeNotUsable."""
    if device.attachment_id is not None:
        return device
    found = _unknown(work, device) or work.tools.volumes.reserve(device.volume_id, work.uuid).id
    return change(work, device, attachment_id=found)


def connect(work: Work, device: BlockDevice, connector: Mapping[str, Any]) -> BlockDevice:
    """The device as the host of ``connector`` reaches it."""
    with_place = {**connector, "mountpoint": device.device_name}
    return _connected(work, device, work.tools.volumes.connect(device.attachment_id, with_place))


def _connect_beside(work: Work, device: BlockDevice, connector: Mapping[str, Any]) -> None:
    """The device by a new attachment, while the one that it had stays."""
    with_place = {**connector, "mountpoint": device.device_name}
    _connected(work, device, work.tools.volumes.reserve(device.volume_id, work.uuid, with_place))


def _connected(work: Work, device: BlockDevice, attachment: Attachment) -> BlockDevice:
    info = dict(attachment.connection_info)
    if work.tools.volumes.get(None, device.volume_id).multiattach:
        info["multiattach"] = True
    return change(work, device, attachment_id=attachment.id, connection_info=info)


def connector_of(work: Work, host: str) -> dict[str, Any]:
    """How the volume service reaches the host. Raises HostUnreachable."""
    try:
        found: dict[str, Any] = work.tools.hosts.ask(
            host, "connector", {"uuid": work.uuid}, operation=f"{work.id}:{host}"
        )
    except HostDown as error:
        raise HostUnreachable(reason=str(error)) from error
    return found


def reserve_all(work: Work) -> None:
    """An attachment for each of the server's volumes."""
    for device in own(work):
        reserve(work, device)


def connect_all(work: Work, host: str) -> None:
    """Every volume exported to ``host``."""
    devices = own(work)
    connector = connector_of(work, host)
    for device in devices:
        connect(work, device, connector)


def complete_all(work: Work) -> None:
    """The guest has its volumes."""
    for device in own(work):
        if device.attachment_id is not None:
            work.tools.volumes.complete(device.attachment_id)


def disconnect_all(work: Work) -> None:
    """The server keeps its volumes, no host reaches them any more: an attachment without a connector for each.

    The volume service knows no other way than a new attachment, which it lets the server have beside the old one.
    """
    for device in own(work):
        if device.attachment_id is None or device.connection_info is None:
            continue
        fresh = _unknown(work, device) or work.tools.volumes.reserve(device.volume_id, work.uuid).id
        work.tools.volumes.complete(fresh)
        work.tools.volumes.release(device.attachment_id)
        change(work, device, attachment_id=fresh, connection_info=None)


def _unknown(work: Work, device: BlockDevice) -> str | None:
    """An attachment of the device that a conductor which died has made and not recorded."""
    if not work.resumed:
        return None
    known = {each.attachment_id for each in own(work)}
    for attachment in work.tools.volumes.attachments(work.uuid):
        if attachment.volume_id == device.volume_id and attachment.id not in known:
            return str(attachment.id)
    return None


# -- moving --
def reached(work: Work) -> dict[str, dict[str, Any]]:
    """How the server's host reaches its volumes: volume → ``attachment_id`` and ``connection_info``."""
    return {
        str(device.volume_id): {"attachment_id": device.attachment_id, "connection_info": device.connection_info}
        for device in own(work)
        if device.attachment_id is not None
    }


def bring(work: Work, host: str, beside: Collection[str]) -> None:
    """Volumes exported to ``host`` by attachments of their own; those in ``beside`` stay, and no device has them now.

    A new attachment comes before an old one goes: no volume is ever free for others. Raises HostUnreachable.
    """
    _release_but(work, beside)  # what a conductor that died has reserved
    connector = connector_of(work, host)
    for device in own(work):
        if device.attachment_id in beside:
            _connect_beside(work, device, connector)
        elif device.attachment_id is not None and device.connection_info is None:
            connect(work, device, connector)


def take_back(work: Work, before: Mapping[str, Mapping[str, Any]]) -> None:
    """The devices have the attachments that ``reached`` told of, as far as these are there, and no other stays."""
    there = {attachment.id for attachment in work.tools.volumes.attachments(work.uuid)}
    for device in own(work):
        old = before.get(device.volume_id or "")
        if old is not None and old["attachment_id"] in there:
            change(work, device, **old)
    _release_but(work)


def bring_home(work: Work, host: str, before: Mapping[str, Mapping[str, Any]]) -> None:
    """``take_back``; volumes that came since then are exported to ``host``, where the guest is about to be."""
    take_back(work, before)
    old = {each["attachment_id"] for each in before.values()}
    came = {device.attachment_id for device in own(work) if device.attachment_id} - old
    if came:
        bring(work, host, came)
        complete_all(work)
        _release_but(work)


def settle(work: Work) -> None:
    """The guest has its volumes where it is; what other hosts had them by goes."""
    complete_all(work)
    _release_but(work)


def _release_but(work: Work, kept: Collection[str] = ()) -> None:
    """No attachment stays that no device has, except ``kept``."""
    known = {device.attachment_id for device in own(work)}.union(kept)
    for attachment in work.tools.volumes.attachments(work.uuid):
        if attachment.id not in known:
            work.tools.volumes.release(attachment.id)


def release_all(work: Work) -> None:
    """No attachment of the server stays, known to us or not; its devices are volumes to be attached anew."""
    for device in own(work):
        if device.attachment_id is not None:
            work.tools.volumes.release(device.attachment_id)
            change(work, device, attachment_id=None, connection_info=None)
    for attachment in work.tools.volumes.attachments(work.uuid):
        work.tools.volumes.release(attachment.id)


def release(work: Work, device: BlockDevice) -> None:
    """Give one device's attachment back, also one that was reserved and never recorded."""
    if device.attachment_id is not None:
        work.tools.volumes.release(device.attachment_id)
    known = {each.attachment_id for each in own(work)}
    for attachment in work.tools.volumes.attachments(work.uuid):
        if attachment.volume_id == device.volume_id and attachment.id not in known:
            work.tools.volumes.release(attachment.id)


def give_back(work: Work) -> None:
    """A server goes: its volumes are released, and deleted where it was asked for."""
    devices = own(work)
    if devices:
        release_all(work)
    for device in devices:
        if device.delete_on_termination and device.volume_id is not None:
            remove(work, device.volume_id)
    with work.cell.database.write() as connection:
        block_devices.remove_all(connection, work.uuid, work.now())
