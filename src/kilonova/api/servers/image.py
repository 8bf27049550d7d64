"""The image (or block devices) a new server starts from, checked against its flavor."""

from collections.abc import Mapping
from typing import Any

from kilonova.clients.glance.contract import ImageNotFound
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call
from kilonova.kit.http.schema import is_uuid
from kilonova.operations.guests import image_row

_GIB = 1 << 30
_ZERO_DISK_RULE = "os_compute_api:servers:create:zero_disk_flavor"


class ImageUnusable(Invalid):
    """The image cannot start this server; the message says why."""

    template = "imageRef: {reason}"


def id_of(chosen: str) -> str:
    """The image's id, from an id or an old client's URL. Raises ImageUnusable."""
    image_id = str(chosen).rstrip("/").rsplit("/", 1)[-1]
    if not is_uuid(image_id):
        raise ImageUnusable(reason=f"Invalid imageRef provided: {chosen}")
    return image_id


def demand_local_root(call: Call, image: Mapping[str, Any], flavor: Any) -> None:
    """The image goes on a root disk of the flavor's size. Raises ImageUnusable, NotAllowed."""
    check_size(image, flavor)
    if flavor["root_gb"] == 0:
        call.demand(_ZERO_DISK_RULE, {"project_id": call.context.project_id})


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
    check_memory(image, flavor)
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


def check_memory(image: Mapping[str, Any], flavor: Any) -> None:
    """The flavor has the memory that the image needs. Raises ImageUnusable."""
    if flavor["memory_mb"] < image["min_ram"]:
        raise ImageUnusable(
            reason=f"Flavor's memory is too small for requested image: "
            f"{flavor['memory_mb']} MiB, but the image needs {image['min_ram']} MiB."
        )
