"""The image (or block devices) a new server starts from, checked against its flavor."""

from collections.abc import Mapping
from typing import Any

from kilonova.clients.glance.contract import ImageNotFound
from kilonova.kit.errors import Invalid, Unsupported
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import is_uuid
from kilonova.operations.guests import image_row

_GIB = 1 << 30
_ZERO_DISK_RULE = "os_compute_api:servers:create:zero_disk_flavor"


class ImageUnusable(Invalid):
    """The image cannot start this server; the message says why."""

    template = "imageRef: {reason}"


class VolumesUnsupported(Unsupported):
    """The body asks for volumes."""

    template = "{field}: booting from volumes is not offered; give imageRef and let the root disk be local"


def resolve(call: Call, body: Mapping[str, Any], flavor: Any) -> dict[str, Any]:
    """Facts of the image as the server's row keeps them. Raises ImageUnusable, VolumesUnsupported."""
    found = usable(call, _image_id(body))
    check_size(found, flavor)
    if flavor["root_gb"] == 0:
        call.demand(_ZERO_DISK_RULE, {"project_id": call.context.project_id})
    return found


def usable(call: Call, image_id: str) -> dict[str, Any]:
    """Facts of an active image. Raises ImageUnusable."""
    try:
        image = call.app.recent_images.get(
            (image_id, call.context.token_key),
            lambda: call.app.images.get(call.context, image_id),
            keep=lambda found: found.status == "active",
        )
    except ImageNotFound:
        raise ImageUnusable(reason=f"Image {image_id} could not be found.") from None
    if image.status != "active":
        raise ImageUnusable(reason=f"Image {image_id} is not active but {image.status}.")
    return image_row(image)


def check_size(image: Mapping[str, Any], flavor: Any) -> None:
    """Whether the image fits the flavor. Raises ImageUnusable."""
    if flavor["memory_mb"] < image["min_ram"]:
        raise ImageUnusable(
            reason=f"Flavor's memory is too small for requested image: "
            f"{flavor['memory_mb']} MiB, but the image needs {image['min_ram']} MiB."
        )
    root = flavor["root_gb"]
    if root == 0:
        return
    if image["min_disk"] > root:
        raise ImageUnusable(
            reason=f"Flavor's disk is smaller than the minimum size specified in image metadata: "
            f"{root} GiB, but the image needs {image['min_disk']} GiB."
        )
    if image["size"] > root * _GIB:
        raise ImageUnusable(
            reason=f"Flavor's disk is too small for requested image: {root} GiB, the image has {image['size']} bytes."
        )


def _image_id(body: Mapping[str, Any]) -> str:
    mapping = body.get("block_device_mapping_v2") or ()
    if body.get("block_device_mapping"):
        raise VolumesUnsupported(field="block_device_mapping")
    for device in mapping:
        if device.get("destination_type") == "volume" or device.get("source_type") in ("volume", "snapshot"):
            raise VolumesUnsupported(field="block_device_mapping_v2")
    boot = [d["uuid"] for d in mapping if d.get("source_type") == "image" and str(d.get("boot_index", "")) == "0"]
    reference = body.get("imageRef", "")
    if boot and reference and boot[0] != reference:
        raise Invalid("block_device_mapping_v2: the boot device's image and imageRef differ")
    chosen = reference or (boot[0] if boot else "")
    if not chosen:
        raise Invalid("imageRef: an image is required, unless a block device with boot_index 0 is given")
    return id_of(chosen)


def id_of(chosen: str) -> str:
    """The image's id, from an id or an old client's URL. Raises ImageUnusable."""
    image_id = str(chosen).rstrip("/").rsplit("/", 1)[-1]
    if not is_uuid(image_id):
        raise ImageUnusable(reason=f"Invalid imageRef provided: {chosen}")
    return image_id
