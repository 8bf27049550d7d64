"""``createImage`` and ``createBackup``: the image record is made at once with the caller's token; its data follows."""

import uuid as uuids
from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding, volume_image
from kilonova.clients.glance.facts import NewImage
from kilonova.domain import lifecycle
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field
from kilonova.operations.create_backup import CreateBackup
from kilonova.operations.create_image import CreateImage
from kilonova.store import block_devices
from kilonova.store.cells import Cell

_RULE = "os_compute_api:servers:create_image"
_NOT_INHERITED = frozenset({"cache_in_nova", "bittorrent", "img_signature", "img_signature_hash_method"})


def create_image(call: Call) -> Reply:
    """The reply names the image (from 2.45 in the body, before in Location)."""
    cell, row = finding.find(call, _RULE)
    finding.unlocked(call, row)
    body = call.body
    new = image_of(row, body["name"], body.get("metadata", {}))
    if not row["image_ref"]:
        lifecycle.check("create_image", row["uuid"], row["vm_state"], row["task_state"])
        with cell.database.read() as connection:
            devices = block_devices.of_server(connection, row["uuid"])
        image_id = volume_image.create(call, row, new, devices)
        finding.acceptor(call).note(call.context, cell, row, "create_image", {})
        return _named(call, image_id)
    return _accept(call, cell, row, "create_image", new, CreateImage(str(new.id)))


def create_backup(call: Call) -> Reply:
    """An image, and of the backups of this type no more than ``rotation`` stay."""
    cell, row = finding.find(call, "os_compute_api:os-create-backup")
    finding.unlocked(call, row)
    if not row["image_ref"]:
        raise Invalid("Backup is not supported for volume-backed instances.")
    body, rotation = call.body, int(call.body["rotation"])
    kind = {"image_type": "backup", "backup_type": body["backup_type"]}
    new = image_of(row, body["name"], {**body.get("metadata", {}), **kind})
    reply = _accept(call, cell, row, "create_backup", new, CreateBackup(str(new.id), body["backup_type"], rotation))
    return reply if rotation or reply.body else Reply()


def _accept(call: Call, cell: Cell, row: Any, verb: str, new: NewImage, command: Any) -> Reply:
    lifecycle.check(verb, row["uuid"], row["vm_state"], row["task_state"])
    image = call.app.images.create(call.context, new)
    try:
        finding.acceptor(call).accept(call.context, cell, row, verb, command)
    except Exception:
        call.app.images.delete(call.context, image.id)
        raise
    return _named(call, image.id)


def _named(call: Call, image_id: str) -> Reply:
    if call.at_least(45):
        return Reply({"image_id": image_id})
    prefix = call.app.api.glance_link_prefix or call.base_url.split("/v2", 1)[0]
    return Reply(headers={"Location": f"{prefix}/images/{image_id}"})


def image_of(row: Any, name: str, properties: Mapping[str, str]) -> NewImage:
    """The image record of a server's root disk, without data yet."""
    source = codec.loads(row["image"]) if row["image"] else {}
    inherited = {k: v for k, v in source.get("properties", {}).items() if k not in _NOT_INHERITED}
    own = {
        "instance_uuid": row["uuid"],
        "image_type": "snapshot",
        "base_image_ref": row["image_ref"],
        "user_id": row["user_id"],
        "boot_roles": row["boot_roles"] or "",
        "owner_project_id": row["project_id"],
    }
    return NewImage(
        id=str(uuids.uuid4()),
        name=name,
        disk_format="qcow2",
        container_format="bare",
        min_disk=codec.loads(row["flavor"])["disk"],
        min_ram=source.get("min_ram", 0),
        properties={**inherited, **own, **properties},
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
    Endpoint(
        method="POST",
        path="/servers/{server_id}/action",
        action="createBackup",
        handler=create_backup,
        body=fields.wrapped(
            "createBackup",
            Field(name="name", schema=fields.NAME, required=True),
            Field(name="backup_type", schema={"type": "string"}, required=True),
            Field(name="rotation", schema=fields.integer(0), required=True),
            Field(name="metadata", schema=fields.METADATA),
        ),
        status=202,
        summary="Make a backup of a server",
    ),
)
