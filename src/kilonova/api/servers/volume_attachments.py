"""``/servers/{server_id}/os-volume_attachments``: a server's volumes, one more, one less, another one."""

import uuid as uuids
from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.api.servers.block_devices import demand_attachable
from kilonova.api.servers.schema import TAG
from kilonova.clients.cinder.contract import VolumeNotFound
from kilonova.clients.cinder.facts import Volume
from kilonova.domain import block_device, lifecycle
from kilonova.domain import server as states
from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.errors import Conflict, Forbidden, Invalid, NotFound
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Array, Field
from kilonova.operations.attach_volume import AttachVolume
from kilonova.operations.detach_volume import DetachVolume
from kilonova.operations.swap_volume import SwapVolume
from kilonova.store import block_devices

_PATH = "/servers/{server_id}/os-volume_attachments"
_RULE = "os_compute_api:os-volumes-attachments:"
_SHELVED = frozenset({states.SHELVED, states.SHELVED_OFFLOADED})
_TO_SHELVED = 20
_FLAG_CHANGES = 85
_DOCUMENT = Document(
    (
        Out("id", "volume_id", until=(2, 88)),
        Out("volumeId", "volume_id"),
        Out("serverId", lambda _device, server: server),
        Out("device", "device_name"),
        Out("tag", since=(2, 70)),
        Out("delete_on_termination", since=(2, 79)),
        Out("attachment_id", since=(2, 89)),
        Out("bdm_uuid", "uuid", since=(2, 89)),
    )
)
_ATTACHED = Document(
    (
        Out("id", "volume_id"),
        Out("volumeId", "volume_id"),
        Out("serverId", lambda _device, server: server),
        Out("device", "device_name"),
        Out("tag", since=(2, 70)),
        Out("delete_on_termination", since=(2, 79)),
    )
)
_DEVICE = {"type": ["string", "null"], "pattern": "(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$"}
_CREATE = fields.wrapped(
    "volumeAttachment",
    Field(name="volumeId", schema=fields.UUID, required=True),
    Field(name="device", schema=_DEVICE),
    Field(name="tag", schema=TAG, since=(2, 49)),
    Field(name="delete_on_termination", schema=fields.BOOLEAN, since=(2, 79)),
)
_UPDATE = fields.wrapped(
    "volumeAttachment",
    Field(name="volumeId", schema=fields.UUID, required=True),
    Field(name="device", schema=_DEVICE, since=(2, 85)),
    Field(name="tag", schema={"anyOf": [TAG, {"type": "null"}]}, since=(2, 85)),
    Field(name="delete_on_termination", schema=fields.BOOLEAN, since=(2, 85)),
    Field(name="serverId", schema=fields.UUID, since=(2, 85)),
    Field(name="id", schema=fields.UUID, since=(2, 85)),
)
_LIST_QUERY = fields.query(
    Field(name="limit", schema=Array({"type": "string", "pattern": "^[0-9]+$"})),
    Field(name="offset", schema=Array({"type": "string", "pattern": "^[0-9]+$"})),
)


class NotAttached(NotFound):
    """The server has no such volume (404)."""

    template = "Instance {server} is not attached to volume {volume}"


class RootStays(Forbidden):
    """A server cannot lose its root disk (403)."""

    template = "Cannot detach a root device volume"


class TooOldForShelved(Conflict):
    """Below 2.20 shelved servers keep the volumes they have (409)."""

    template = "Cannot '{action}' instance {uuid} while it is in vm_state {state}"


class TooManyDisks(Forbidden):
    """``[compute] max_disk_devices_to_attach`` (403)."""

    template = "The maximum allowed number of disk devices ({most}) to attach to a single instance has been exceeded."


def _devices(cell: Any, server_uuid: str) -> list[BlockDevice]:
    with cell.database.read() as connection:
        return block_devices.of_server(connection, server_uuid)


def _volumes(devices: Sequence[BlockDevice]) -> list[BlockDevice]:
    return [device for device in devices if device.is_volume and device.volume_id]


def _attached(devices: Sequence[BlockDevice], server: str, volume: str) -> BlockDevice:
    found = next((device for device in _volumes(devices) if device.volume_id == volume), None)
    if found is None:
        raise NotAttached(server=server, volume=volume)
    return found


def _shown(device: BlockDevice) -> dict[str, Any]:
    """Of interest in a document."""
    names = ("volume_id", "device_name", "tag", "delete_on_termination", "attachment_id", "uuid")
    return {name: getattr(device, name) for name in names}


def index(call: Call) -> Any:
    """The server's volumes."""
    cell, row = finding.find(call, _RULE + "index")
    most = call.app.api.max_limit
    limit = min(call.integer("limit", most) or most, most)
    start = call.integer("offset", 0) or 0
    view = _DOCUMENT.compile(call.version)
    shown = _volumes(_devices(cell, row["uuid"]))[start : start + limit]
    return {"volumeAttachments": [view(_shown(device), row["uuid"]) for device in shown]}


def show(call: Call) -> Any:
    """One of the server's volumes."""
    cell, row = finding.find(call, _RULE + "show")
    device = _attached(_devices(cell, row["uuid"]), row["uuid"], call.params["volume_id"])
    return {"volumeAttachment": _DOCUMENT.compile(call.version)(_shown(device), row["uuid"])}


def create(call: Call) -> Any:
    """Attach a volume; the device's name is known at once, the rest follows."""
    cell, row = finding.find(call, _RULE + "create")
    finding.unlocked(call, row)
    _check_shelved(call, row, "attach_volume")
    lifecycle.check("attach_volume", row["uuid"], row["vm_state"], row["task_state"])
    wanted = call.body["volumeAttachment"]
    devices = _devices(cell, row["uuid"])
    volume: Volume = call.app.volumes.get(call.context, wanted["volumeId"])
    _check_free(call, row, devices, volume, wanted)
    device = BlockDevice(
        uuid=str(uuids.uuid4()),
        source_type="volume",
        destination_type="volume",
        volume_id=volume.id,
        volume_size=volume.size,
        device_name=_name(row, devices, wanted.get("device")),
        tag=wanted.get("tag"),
        delete_on_termination=fields.truth(wanted.get("delete_on_termination", False)),
    )

    def write(connection: Any, _seen: Any) -> None:
        _check_unclaimed(connection, volume)
        now = stamp(call.app.clock.now())
        block_devices.insert(connection, row["uuid"], [device], now)
        block_devices.refresh(connection, row["uuid"], now)

    finding.acceptor(call).accept(call.context, cell, row, "attach_volume", AttachVolume(device.uuid), along=write)
    if call.at_least(101):
        return Reply(None)
    return {"volumeAttachment": _ATTACHED.compile(call.version)(_shown(device), row["uuid"])}


def _check_shelved(call: Call, row: Mapping[str, Any], action: str) -> None:
    if row["vm_state"] in _SHELVED and not call.at_least(_TO_SHELVED):
        raise TooOldForShelved(action=action, uuid=row["uuid"], state=row["vm_state"])


def _check_free(
    call: Call, row: Mapping[str, Any], devices: Sequence[BlockDevice], volume: Volume, wanted: Mapping[str, Any]
) -> None:
    if any(device.volume_id == volume.id for device in devices):
        raise Invalid(f"Invalid volume: volume {volume.id} already attached to instance {row['uuid']}")
    demand_attachable(call, volume)
    offloaded = row["vm_state"] == states.SHELVED_OFFLOADED
    if offloaded and volume.multiattach:
        raise Invalid("Attaching multiattach volumes is not supported for shelved-offloaded instances.")
    if offloaded and wanted.get("tag"):
        raise Invalid("tag: Tagged volume attachment is not supported for shelved-offloaded instances.")
    if not call.app.cross_az_attach and volume.zone != row["availability_zone"]:
        raise Invalid(
            f"Instance {row['uuid']} and volume {volume.id} are not in the same availability_zone. "
            f"Instance is in {row['availability_zone']}. Volume is in {volume.zone}"
        )
    most = call.app.disks.max_disk_devices_to_attach
    if 0 <= most <= len(_volumes(devices)) + len(block_device.implied_names(devices, _local(row))):
        raise TooManyDisks(most=most)


def _check_unclaimed(connection: Any, volume: Volume) -> None:
    """Nobody else was accepted for it a moment ago. Raises Invalid (and takes the whole accept back)."""
    if not volume.multiattach and block_devices.of_volume(connection, volume.id):
        raise Invalid(f"Invalid volume: Volume {volume.id} is being attached to another instance.")


def _local(row: Mapping[str, Any]) -> dict[str, int]:
    flavor = codec.loads(row["flavor"])
    return {"ephemeral_gb": flavor["ephemeral"], "swap_mb": flavor["swap"]}


def _name(row: Mapping[str, Any], devices: Sequence[BlockDevice], wanted: str | None) -> str:
    taken = {*(device.device_name for device in devices), *block_device.implied_names(devices, _local(row))}
    if wanted is not None:
        return block_device.with_names_taken(wanted, taken)
    image = codec.loads(row["image"]) if row["image"] else {}
    return block_device.free_name(taken, image.get("properties", {}).get("hw_disk_bus"))


def update(call: Call) -> None:
    """Change ``delete_on_termination`` (2.85), or put another volume in its place (the volume service asks for it)."""
    volume_id, wanted = call.params["volume_id"], call.body["volumeAttachment"]
    swaps = wanted["volumeId"] != volume_id or not call.at_least(_FLAG_CHANGES)
    cell, row = finding.find(call, _RULE + ("swap" if swaps else "update"))
    if call.at_least(_FLAG_CHANGES):
        _update_flag(call, cell, row, wanted)
    if swaps:
        _swap(call, cell, row, wanted["volumeId"])


def _update_flag(call: Call, cell: Any, row: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    device = _attached(_devices(cell, row["uuid"]), row["uuid"], call.params["volume_id"])
    fixed = {"id": device.volume_id, "serverId": row["uuid"], "device": device.device_name, "tag": device.tag}
    for name, value in fixed.items():
        if name in wanted and wanted[name] != value:
            raise Invalid(f"volumeAttachment.{name}: it cannot be changed (it is {value})")
    if "delete_on_termination" not in wanted:
        return
    values = {"delete_on_termination": fields.truth(wanted["delete_on_termination"])}
    with cell.database.write() as connection:
        block_devices.update(connection, row["uuid"], device.uuid, values, stamp(call.app.clock.now()))


def _swap(call: Call, cell: Any, row: Mapping[str, Any], new_id: str) -> None:
    finding.unlocked(call, row)
    cinder, context = call.app.volumes, call.context
    old: Volume = cinder.get(context, call.params["volume_id"])
    devices = _devices(cell, row["uuid"])
    device = _attached(devices, row["uuid"], old.id)
    try:
        new: Volume = cinder.get(context, new_id)
    except VolumeNotFound as error:
        raise Invalid(f"volumeAttachment.volumeId: {error}") from None
    if old.status not in ("in-use", "detaching", "retyping"):
        raise Invalid(f"Invalid volume: Old volume {old.id} is attached but its status is {old.status}.")
    if new.size < old.size:
        raise Invalid(f"Invalid volume: New volume must be the same size or larger than {old.size} GiB.")
    if new.status != "available" or any(other.volume_id == new.id for other in devices):
        raise Invalid(f"Invalid volume: New volume {new.id} must be available; it is {new.status}.")
    if old.multiattach and len(old.uses) > 1:
        raise Invalid("Invalid volume: Swapping a volume that is attached to several servers is not supported.")
    finding.acceptor(call).accept(context, cell, row, "swap_volume", SwapVolume(device.uuid, new.id))


def delete(call: Call) -> None:
    """Detach a volume."""
    cell, row = finding.find(call, _RULE + "delete")
    finding.unlocked(call, row)
    _check_shelved(call, row, "detach_volume")
    volume_id = call.params["volume_id"]
    device = _attached(_devices(cell, row["uuid"]), row["uuid"], volume_id)
    if device.is_root:
        raise RootStays
    finding.acceptor(call).accept(call.context, cell, row, "detach_volume", DetachVolume(device.uuid))


_ONE = _PATH + "/{volume_id}"
_NO_QUERY = fields.no_query()
ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        query=_LIST_QUERY,
        strict_query=STRICT_ALL,
        summary="List a server's volumes",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        handler=create,
        body=_CREATE,
        statuses=(((2, 101), 202),),
        summary="Attach a volume to a server",
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        handler=show,
        query=_NO_QUERY,
        strict_query=STRICT_ALL,
        summary="Show one of a server's volumes",
    ),
    Endpoint(method="PUT", path=_ONE, handler=update, body=_UPDATE, status=202, summary="Change or replace a volume"),
    Endpoint(method="DELETE", path=_ONE, handler=delete, status=202, summary="Detach a volume from a server"),
)
