"""An image of a volume-backed server: snapshots of its volumes, and an image without data that names them."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilonova.api.servers import finding
from kilonova.clients.glance.facts import NewImage
from kilonova.domain import block_device
from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call

_RULE = "os_compute_api:servers:create_image:allow_volume_backed"


def create(call: Call, row: Any, new: NewImage, devices: Sequence[BlockDevice]) -> str:
    """The image's id. When anything fails, neither image nor snapshots stay. Raises what the neighbours raise."""
    call.demand(_RULE, finding.target_of(row))
    cinder, images = call.app.volumes, call.app.images
    mapping: list[dict[str, Any]] = []
    image_id = None
    try:
        for device in devices:
            mapping.append(_entry(device))
            if device.is_volume and device.volume_id:
                name = f"snapshot for {new.name}"
                made = cinder.create_snapshot(call.context, device.volume_id, name, force=True)
                mapping[-1] |= {"source_type": "snapshot", "snapshot_id": made.id, "volume_size": made.size}
        properties = {
            **new.properties,
            "block_device_mapping": codec.text(mapping),
            "bdm_v2": "True",
            "root_device_name": block_device.ROOT_NAME,
        }
        # Without data there is no qcow2 in it, and Glance looks.
        empty = replace(new, properties=properties, min_disk=0, disk_format="raw")
        image_id = str(images.create(call.context, empty).id)
        images.upload(image_id, Path(os.devnull), "raw")
    except Exception:
        for entry in mapping:
            if entry.get("snapshot_id"):
                cinder.delete_snapshot(call.context, entry["snapshot_id"])
        if image_id is not None:
            images.delete(call.context, image_id)
        raise
    return image_id


def _entry(device: BlockDevice) -> dict[str, Any]:
    """The device as an image names it: what a server made of the image will ask for."""
    kept = ("boot_index", "device_name", "delete_on_termination", "guest_format", "disk_bus", "device_type", "tag")
    found = {name: getattr(device, name) for name in (*kept, "volume_size", "destination_type")}
    return {**found, "source_type": device.source_type, "snapshot_id": None, "volume_id": None, "image_id": None}
