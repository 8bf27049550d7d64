"""What a new server starts from: an image, block devices, or an image that names block devices of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.api import fields
from kilonova.api.servers.image import ImageUnusable, check_memory, demand_local_root, id_of, usable
from kilonova.clients.cinder.contract import SnapshotNotFound, VolumeNotFound
from kilonova.clients.cinder.facts import Volume
from kilonova.domain import block_device
from kilonova.domain.block_device import BlockDevice, InvalidBlockDevices
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call

_RULE = "os_compute_api:servers:create:attach_volume"
_MULTIATTACH = 60
_SHARED = frozenset({"in-use", "reserved", "attaching"})
"""Statuses in which one more server may have a multiattach volume."""


class MultiattachTooOld(Invalid):
    """The volume may be attached several times, which the version does not know."""

    template = "Multiattach volumes are only supported starting with compute API version 2.60."


def resolve(call: Call, body: Mapping[str, Any], flavor: Any) -> tuple[dict[str, Any] | None, list[BlockDevice]]:
    """Facts of the image as the server's row keeps them, and the devices, checked and named.

    Raises ImageUnusable, InvalidBlockDevices, MultiattachTooOld, NotAllowed.
    """
    old, new = body.get("block_device_mapping"), body.get("block_device_mapping_v2")
    if old is not None and new is not None:
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    image_id = id_of(body["imageRef"]) if body.get("imageRef") else ""
    if not image_id and not old and not new:
        raise ImageUnusable(reason="Invalid imageRef provided.")
    asked = _asked(old, new, with_image=bool(image_id))
    root = block_device.root_of(asked)
    if not image_id and root is not None and not root.is_volume:
        image_id = str(root.image_id)
    if not asked:
        return _from_image(call, image_id, flavor)
    call.demand(_RULE, {"project_id": call.context.project_id})
    image = usable(call, image_id) if image_id else None
    devices = _merged(_of_image(image), asked, image_id)
    return _checked(call, image, devices, flavor)


def _from_image(call: Call, image_id: str, flavor: Any) -> tuple[dict[str, Any] | None, list[BlockDevice]]:
    """The usual: one image, maybe one that a volume-backed server was made into."""
    image = usable(call, image_id)
    devices = _of_image(image)
    if devices:
        return _checked(call, image, devices, flavor)
    most = call.app.compute.max_local_block_devices
    block_device.check_local([], flavor, most, with_image=True)
    demand_local_root(call, image, flavor)
    return image, []


def _checked(
    call: Call, image: Any, devices: list[BlockDevice], flavor: Any
) -> tuple[dict[str, Any] | None, list[BlockDevice]]:
    root = block_device.root_of(devices)
    plain_image = image is not None and not block_device.is_volume_backed(_of_image(image))
    with_image = plain_image and (root is None or not root.is_volume)
    block_device.check_boot_sequence(devices, with_image=with_image)
    _check_local_root(devices, image)
    block_device.check_local(devices, flavor, call.app.compute.max_local_block_devices, with_image=with_image)
    volumes = [_check_source(call, device, flavor) for device in devices if device.is_volume]
    named = block_device.named(devices, flavor)
    root = block_device.root_of(named)
    if root is None or not root.is_volume:
        demand_local_root(call, image, flavor)
        return image, named
    if plain_image and root.source_type != "image":  # a root volume besides: the image says what its guests are like
        return {**image, "id": ""}, named
    return _volume_backed(call, root, next((v for v in volumes if v and v.id == root.volume_id), None), flavor), named


def _asked(
    old: Sequence[Mapping[str, Any]] | None, new: Sequence[Mapping[str, Any]] | None, *, with_image: bool
) -> list[BlockDevice]:
    if old:
        return block_device.requested_before_v2([_plain(entry) for entry in old], with_image=with_image)
    return block_device.requested([_plain(entry) for entry in new or ()])


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Words for booleans and digits for numbers as what they mean."""
    plain = dict(entry)
    for name in ("delete_on_termination", "no_device"):
        if name in plain and plain[name] is not None:
            plain[name] = fields.truth(plain[name])
    for name, least in (("boot_index", -fields.LARGEST), ("volume_size", 0)):
        if plain.get(name) in (None, ""):
            plain.pop(name, None)
        elif name in plain:
            plain[name] = fields.whole(f"block_device_mapping_v2/{name}", plain[name], least)
    return plain


def _of_image(image: Any) -> list[BlockDevice]:
    """Devices that an image names: it was made of a volume-backed server. Raises InvalidBlockDevices."""
    text = image["properties"].get("block_device_mapping") if image is not None else None
    if not text:
        return []
    try:
        entries = [_plain(entry) for entry in codec.loads(text)]
        if fields.truth(image["properties"].get("bdm_v2", "")):
            wanted = [{**entry, "uuid": _source_of(entry)} for entry in entries]
            return block_device.requested(wanted)
        return block_device.requested_before_v2(entries, with_image=False)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidBlockDevices(reason=f"the image's own mapping cannot be read ({error}).") from None


def _source_of(entry: Mapping[str, Any]) -> Any:
    return entry.get("uuid") or entry.get(f"{entry.get('source_type')}_id")


def _merged(of_image: Sequence[BlockDevice], asked: Sequence[BlockDevice], image_id: str) -> list[BlockDevice]:
    """The request overrides the image, by device name and for the root.

    But that the root is a local copy of the very image says no more than ``imageRef``: stock clients always send it.
    """
    if block_device.root_of(of_image) is not None:
        asked = [d for d in asked if not (d.is_root and not d.is_volume and d.image_id == image_id)]
    names = {device.device_name for device in asked if device.device_name}
    rooted = block_device.root_of(asked) is not None
    kept = [d for d in of_image if d.device_name not in names and not (rooted and d.is_root)]
    return [*kept, *asked]


def _check_local_root(devices: Sequence[BlockDevice], image: Any) -> None:
    root = block_device.root_of(devices)
    if root is not None and not root.is_volume and (image is None or root.image_id != image["id"]):
        raise InvalidBlockDevices(reason="the boot device's image and imageRef differ.")


def _check_source(call: Call, device: BlockDevice, flavor: Any) -> Volume | None:
    """What the device is made from exists, is of use and fits. The volume, for one that is given."""
    cinder, context = call.app.volumes, call.context
    if device.volume_type and not cinder.has_type(context, device.volume_type):
        raise InvalidBlockDevices(reason=f"Volume type {device.volume_type} could not be found.")
    if device.source_type == "volume":
        return _check_volume(call, str(device.volume_id))
    if device.source_type == "snapshot":
        try:
            cinder.snapshot(context, device.snapshot_id)
        except SnapshotNotFound:
            raise InvalidBlockDevices(reason=f"failed to get snapshot {device.snapshot_id}.") from None
    if device.source_type == "image":
        image = usable(call, str(device.image_id))
        check_memory(image, flavor)
        if (device.volume_size or 0) < image["min_disk"]:
            raise InvalidBlockDevices(
                reason=f"volume_size: the volume is smaller ({device.volume_size} GiB) "
                f"than the image's min_disk ({image['min_disk']} GiB)."
            )
    return None


def _check_volume(call: Call, volume_id: str) -> Volume:
    try:
        volume: Volume = call.app.volumes.get(call.context, volume_id)
    except VolumeNotFound:
        raise InvalidBlockDevices(reason=f"failed to get volume {volume_id}.") from None
    demand_attachable(call, volume)
    return volume


def demand_attachable(call: Call, volume: Volume) -> None:
    """The volume is free. Raises Invalid, MultiattachTooOld."""
    if volume.multiattach and not call.at_least(_MULTIATTACH):
        raise MultiattachTooOld
    if volume.status != "available" and not (volume.multiattach and volume.status in _SHARED):
        raise Invalid(
            f"Invalid volume: Volume {volume.id} status must be 'available'"
            f"{' or in-use' if volume.multiattach else ''}. Currently in '{volume.status}' status."
        )


def _volume_backed(call: Call, root: BlockDevice, volume: Volume | None, flavor: Any) -> dict[str, Any]:
    """What the row keeps of the image on the root volume: its properties, but no id. Raises InvalidBlockDevices."""
    if root.source_type == "image":
        return {**usable(call, str(root.image_id)), "id": ""}
    if volume is None and root.source_type == "snapshot":
        snapshot = call.app.volumes.snapshot(call.context, root.snapshot_id)
        try:
            volume = call.app.volumes.get(call.context, snapshot.volume_id)
        except VolumeNotFound:
            volume = None
    known = dict(volume.image_metadata) if volume is not None else {}
    if root.source_type == "volume" and volume is not None and not volume.bootable:
        raise InvalidBlockDevices(reason=f"Block Device {volume.id} is not bootable.")
    min_ram = int(known.pop("min_ram", 0) or 0)
    if flavor["memory_mb"] < min_ram:
        raise ImageUnusable(reason=f"Flavor's memory is too small for the volume's image: it needs {min_ram} MiB.")
    own = ("image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "size")
    properties = {name: str(value) for name, value in known.items() if name not in own}
    return {"id": "", "disk_format": "raw", "size": 0, "min_disk": 0, "min_ram": min_ram, "properties": properties}


def zone_of(call: Call, devices: Sequence[BlockDevice], zone: str | None) -> str | None:
    """With ``[cinder] cross_az_attach`` off, the server goes where its volumes are. Raises Invalid."""
    if call.app.cross_az_attach:
        return zone
    for device in devices:
        if device.source_type == "volume":
            there = call.app.volumes.get(call.context, device.volume_id).zone
            if zone is not None and there != zone:
                raise Invalid(f"Server and volumes are not in the same AZ: {zone} and {there}")
            zone = there
    return zone
