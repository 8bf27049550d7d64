"""Block devices: the disks that a server asks for and has, and the rules of their mapping (API reference, servers).

A device has a *source* (what is on it at first) and a *destination* (where it lives): ``image``, ``snapshot``,
``volume`` or ``blank`` on a ``volume`` of the volume service or on a ``local`` disk of the host.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from kilonova.kit.errors import Conflict, Invalid

ROOT_NAME: Final = "/dev/vda"
SWAP: Final = "swap"
_PREFIX: Final = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
_BUSES: Final = frozenset(_PREFIX)
_NAME: Final = re.compile(r"/dev/[a-z]+[0-9]*")
_LETTERS: Final = 26
_PAIRS: Final = {
    ("image", "local"),
    ("blank", "local"),
    ("image", "volume"),
    ("snapshot", "volume"),
    ("volume", "volume"),
    ("blank", "volume"),
}


class InvalidBlockDevices(Invalid):
    """The mapping cannot be had (400); the words name the field."""

    template = "Block Device Mapping is Invalid: {reason}"


class DeviceNameTaken(Conflict):
    """Another disk of the server has the name (409)."""

    template = "The supplied device path ({name}) is in use."


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """One disk of a server. A row of ``block_devices`` with ``server_uuid`` beside it."""

    uuid: str = ""
    source_type: str
    destination_type: str
    image_id: str | None = None
    snapshot_id: str | None = None
    volume_id: str | None = None
    """Of a volume that was given, or that was made from the source."""
    boot_index: int | None = None
    """0: the root disk; None: never booted from."""
    device_name: str | None = None
    """``/dev/vdb``."""
    delete_on_termination: bool = False
    volume_size: int | None = None
    """GiB; MiB for swap."""
    volume_type: str | None = None
    guest_format: str | None = None
    """Of local disks: ``swap`` or a file system."""
    disk_bus: str | None = None
    device_type: str | None = None
    """``disk``, ``cdrom`` …."""
    tag: str | None = None
    attachment_id: str | None = None
    """The volume service's attachment."""
    connection_info: Mapping[str, Any] | None = None
    """How the host reaches the volume, as the volume service says (``driver_volume_type`` and ``data``)."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From any mapping that has the fields' names, others beside them."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})

    @property
    def is_volume(self) -> bool:
        """Lives in the volume service."""
        return self.destination_type == "volume"

    @property
    def is_root(self) -> bool:
        """The server boots from it."""
        return self.boot_index == 0

    @property
    def is_swap(self) -> bool:
        """A local swap disk."""
        return self.source_type == "blank" and not self.is_volume and self.guest_format == SWAP

    @property
    def is_ephemeral(self) -> bool:
        """A local blank disk other than swap."""
        return self.source_type == "blank" and not self.is_volume and self.guest_format != SWAP

    @property
    def source_id(self) -> str | None:
        """What the source is called."""
        return {"image": self.image_id, "snapshot": self.snapshot_id, "volume": self.volume_id}.get(self.source_type)


def root_of(devices: Iterable[BlockDevice]) -> BlockDevice | None:
    """The device that the server boots from, when it is among them (else it is the image on a local disk)."""
    return next((device for device in devices if device.is_root), None)


def is_volume_backed(devices: Iterable[BlockDevice]) -> bool:
    """The server's root disk is a volume."""
    root = root_of(devices)
    return root is not None and root.is_volume


def requested(entries: Sequence[Mapping[str, Any]]) -> list[BlockDevice]:
    """``block_device_mapping_v2`` of a request (booleans and numbers are plain already). Raises InvalidBlockDevices."""
    return [_requested(entry) for entry in entries if not entry.get("no_device")]


def _requested(entry: Mapping[str, Any]) -> BlockDevice:
    source, uuid, size = entry.get("source_type"), entry.get("uuid"), entry.get("volume_size")
    if source is None:
        source = "volume" if uuid else "blank"
    destination = entry.get("destination_type") or ("local" if source == "blank" else "volume")
    index = entry.get("boot_index")
    if (source, destination) not in _PAIRS:
        raise InvalidBlockDevices(reason=f"Mapping {source} to {destination} is not supported.")
    if source != "blank" and not uuid:
        raise InvalidBlockDevices(reason=f"uuid: a device of source_type {source} names what it is made from.")
    if source == "image" and destination == "local" and index != 0:
        raise InvalidBlockDevices(reason="Mapping image to local is not supported.")
    if size is None and destination == "volume" and source in ("blank", "image"):
        words = {
            "blank": "Blank volumes (source: 'blank', dest: 'volume')",
            "image": "Images with destination 'volume'",
        }
        raise InvalidBlockDevices(reason=f"volume_size: {words[source]} need to have a non-zero size specified.")
    if entry.get("volume_type") and (source == "volume" or destination == "local"):
        raise InvalidBlockDevices(reason=f"volume_type: Specifying volume_type with source_type {source} is invalid.")
    bus = entry.get("disk_bus")
    if bus is not None and bus not in _BUSES:
        raise InvalidBlockDevices(reason=f"disk_bus: {bus} is not one of {', '.join(sorted(_BUSES))}.")
    return BlockDevice(
        source_type=source,
        destination_type=destination,
        image_id=uuid if source == "image" else None,
        snapshot_id=uuid if source == "snapshot" else None,
        volume_id=uuid if source == "volume" else None,
        boot_index=None if index is None or index < 0 else index,
        device_name=_full_name(entry.get("device_name")),
        delete_on_termination=entry.get("delete_on_termination", destination == "local"),
        volume_size=size,
        volume_type=entry.get("volume_type"),
        guest_format=entry.get("guest_format"),
        disk_bus=bus,
        device_type=entry.get("device_type"),
        tag=entry.get("tag"),
    )


def requested_before_v2(entries: Sequence[Mapping[str, Any]], *, with_image: bool) -> list[BlockDevice]:
    """``block_device_mapping`` of old requests: volumes and snapshots by device name. Raises InvalidBlockDevices.

    Without an image the server boots from the device named like a root disk, or from the first.
    """
    devices = []
    for entry in entries:
        if entry.get("no_device"):
            continue
        volume, snapshot = entry.get("volume_id"), entry.get("snapshot_id")
        if not volume and not snapshot:
            raise InvalidBlockDevices(reason="a device without volume_id and snapshot_id.")
        devices.append(
            BlockDevice(
                source_type="volume" if volume else "snapshot",
                destination_type="volume",
                volume_id=volume or None,
                snapshot_id=None if volume else snapshot,
                device_name=_full_name(entry.get("device_name")),
                delete_on_termination=entry.get("delete_on_termination", False),
                volume_size=entry.get("volume_size"),
            )
        )
    if with_image or not devices:
        return devices
    root = next((n for n, device in enumerate(devices) if device.device_name == ROOT_NAME), 0)
    return [replace(device, boot_index=0) if n == root else device for n, device in enumerate(devices)]


def _full_name(name: str | None) -> str | None:
    """``vdb`` and ``/dev/vdb`` mean the same. Raises InvalidBlockDevices."""
    if name is None:
        return None
    full = name if name.startswith("/dev/") else f"/dev/{name}"
    if not _NAME.fullmatch(full):
        raise InvalidBlockDevices(reason=f"device_name: {name} is no name of a disk.")
    return full


def check_boot_sequence(devices: Sequence[BlockDevice], *, with_image: bool) -> None:
    """Boot indexes are 0, 1, 2 … without gaps; an image alone is 0. Raises InvalidBlockDevices."""
    indexes = [device.boot_index for device in devices if device.boot_index is not None]
    local_root = any(device.is_root and device.source_type == "image" and not device.is_volume for device in devices)
    if with_image and not local_root:
        indexes.append(0)
    if sorted(indexes) != list(range(len(indexes))) or not indexes:
        raise InvalidBlockDevices(
            reason="Boot sequence for the instance and image/block device mapping combination is not valid."
        )


def check_local(devices: Sequence[BlockDevice], flavor: Mapping[str, Any], most: int, *, with_image: bool) -> None:
    """Local disks fit the flavor (``ephemeral_gb``, ``swap_mb``) and the limit. Raises InvalidBlockDevices.

    ``most``: ``[DEFAULT] max_local_block_devices``, negative for any number.
    """
    ephemeral = sum(device.volume_size or flavor["ephemeral_gb"] for device in devices if device.is_ephemeral)
    swaps = [device.volume_size or flavor["swap_mb"] for device in devices if device.is_swap]
    if ephemeral > flavor["ephemeral_gb"]:
        raise InvalidBlockDevices(reason="Ephemeral disks requested are larger than the instance type allows.")
    if len(swaps) > 1:
        raise InvalidBlockDevices(reason="More than one swap drive requested.")
    if sum(swaps) > flavor["swap_mb"]:
        raise InvalidBlockDevices(reason="Swap drive requested is larger than instance type allows.")
    local = sum(not device.is_volume for device in devices)
    local += with_image and root_of(devices) is None
    if 0 <= most < local:
        raise InvalidBlockDevices(reason="You specified more local devices than the limit allows")


def named(devices: Sequence[BlockDevice], flavor: Mapping[str, Any]) -> list[BlockDevice]:
    """Every device with a name of its own, the root disk with its usual one. Raises InvalidBlockDevices.

    ``flavor``: ``ephemeral_gb`` and ``swap_mb``, whose local disks come right after the root disk.
    """
    wanted = [device.device_name for device in devices if device.device_name and not device.is_root]
    if len(set(wanted)) < len(wanted):
        raise InvalidBlockDevices(reason="device_name: two devices have the same name.")
    taken = {*wanted, *implied_names(devices, flavor)}
    found = []
    for device in devices:
        name = ROOT_NAME if device.is_root else device.device_name or free_name(taken, device.disk_bus)
        taken.add(name)
        found.append(replace(device, device_name=name))
    return found


def implied_names(devices: Sequence[BlockDevice], flavor: Mapping[str, Any]) -> list[str]:
    """Names of the disks that a server has without asking: its root disk, the flavor's ephemeral and swap disks."""
    own = {device.device_name for device in devices}
    names = [ROOT_NAME]
    if flavor["ephemeral_gb"] and not any(device.is_ephemeral for device in devices):
        names.append(free_name({*names, *own}))
    if flavor["swap_mb"] and not any(device.is_swap for device in devices):
        names.append(free_name({*names, *own}))
    return names


def free_name(taken: Collection[str | None], bus: str | None = None) -> str:
    """The first name on the bus that no disk has."""
    prefix = _PREFIX.get(bus or "virtio", "vd")
    number = 0
    while (name := f"/dev/{prefix}{_letters(number)}") in taken:
        number += 1
    return name


def _letters(number: int) -> str:
    """0 is ``a``, 25 ``z``, 26 ``aa``."""
    if number < _LETTERS:
        return chr(ord("a") + number)
    return _letters(number // _LETTERS - 1) + _letters(number % _LETTERS)


def with_names_taken(name: str, taken: Collection[str | None]) -> str:
    """``name`` in full, if it is free. Raises DeviceNameTaken, InvalidBlockDevices."""
    full = _full_name(name) or ""
    if full in taken:
        raise DeviceNameTaken(name=name)
    return full
