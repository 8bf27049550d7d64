"""``createImage``: the image record is made at once with the caller's token; its data follows."""

import uuid as uuids
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.clients.glance.facts import NewImage
from kilonova.domain import lifecycle
from kilonova.kit import codec
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field
from kilonova.operations.create_image import CreateImage

_RULE = "os_compute_api:servers:create_image"
_NOT_INHERITED = frozenset({"cache_in_nova", "bittorrent", "img_signature", "img_signature_hash_method"})


def create_image(call: Call) -> Reply:
    """The reply names the image (from 2.45 in the body, before in Location)."""
    cell, row = finding.find(call, _RULE)
    finding.unlocked(call, row)
    lifecycle.check("create_image", row["uuid"], row["vm_state"], row["task_state"])
    body = call.body
    image = call.app.images.create(call.context, _new_image(row, body))
    try:
        finding.acceptor(call).accept(call.context, cell, row, "create_image", CreateImage(image.id))
    except Exception:
        call.app.images.delete(call.context, image.id)
        raise
    if call.at_least(45):
        return Reply({"image_id": image.id})
    prefix = call.app.api.glance_link_prefix or call.base_url.split("/v2", 1)[0]
    return Reply(headers={"Location": f"{prefix}/images/{image.id}"})


def _new_image(row: Any, body: dict[str, Any]) -> NewImage:
    source = codec.loads(row["image"]) if row["image"] else {}
    inherited = {k: v for k, v in source.get("properties", {}).items() if k not in _NOT_INHERITED}
    own = {
        "instance_uuid": row["uuid"],
        "image_type": "snapshot",
        "base_image_ref": row["image_ref"],
        "user_id": row["user_id"],
        "boot_roles": "",
        "owner_project_id": row["project_id"],
    }
    return NewImage(
        id=str(uuids.uuid4()),
        name=body["name"],
        disk_format="qcow2",
        container_format="bare",
        min_disk=codec.loads(row["flavor"])["disk"],
        min_ram=source.get("min_ram", 0),
        properties={**inherited, **own, **body.get("metadata", {})},
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action="createImage",
        handler=create_image,
        body=fields.wrapped(
            "createImage",
            Field(name="name", schema=fields.NAME, required=True),
            Field(name="metadata", schema=fields.METADATA),
        ),
        status=202,
        summary="Make an image of a server",
    ),
)
