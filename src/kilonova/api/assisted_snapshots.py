"""``/os-assisted-volume-snapshots``: the volume service has a server's host snapshot a volume that is a file."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import STRICT_QUERY
from kilonova.domain.block_device import BlockDevice
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Array, Field, Object, Schema
from kilonova.operations import assist_snapshot
from kilonova.operations.assist_snapshot import AssistSnapshot
from kilonova.store import block_devices, servers
from kilonova.store.cells import Cell

_PATH = "/os-assisted-volume-snapshots"
_RULE = "os_compute_api:os-assisted-volume-snapshots:"
_FILE = {"type": "string", "maxLength": 255, "pattern": r"^(?!\.{1,2}$)[^/]+$"}
"""A name in the volume's own directory."""
_CREATE = fields.wrapped(
    "snapshot",
    Field(name="volume_id", schema=fields.UUID, required=True),
    Field(
        name="create_info",
        required=True,
        schema=Object(
            (
                Field(name="snapshot_id", schema=fields.UUID, required=True),
                Field(name="type", schema={"enum": ["qcow2"]}, required=True),
                Field(name="new_file", schema=_FILE, required=True),
                Field(name="id", schema=fields.UUID),
            )
        ),
    ),
)
_DELETE_INFO = Schema(
    Object(
        (
            Field(name="volume_id", schema=fields.UUID, required=True),
            Field(name="file_to_merge", schema=fields.nullable(_FILE)),
            Field(name="merge_target_file", schema=fields.nullable(_FILE)),
            Field(name="type", schema={"enum": ["qcow2"]}),
        )
    ),
    where="delete_info",
)


def create(call: Call) -> Any:
    """Begun; how it ends the volume service is told."""
    wanted = call.body["snapshot"]
    info = wanted["create_info"]
    _accept(call, wanted["volume_id"], info["snapshot_id"], {"new_file": info["new_file"]})
    return {"snapshot": {"id": info.get("id", info["snapshot_id"]), "volumeId": wanted["volume_id"]}}


def delete(call: Call) -> None:
    """Begun, as above. ``delete_info`` is JSON: which file is merged into which."""
    try:
        info = codec.loads(call.one("delete_info") or "")
    except ValueError as error:
        raise Invalid(f"delete_info: it is not JSON ({error})") from error
    _DELETE_INFO.validate(info, call.version)
    files = {"top": info.get("file_to_merge"), "into": info.get("merge_target_file")}
    _accept(call, info["volume_id"], call.params["snapshot_id"], files)


def _accept(call: Call, volume_id: str, snapshot_id: str, files: Mapping[str, Any]) -> None:
    cell, row, device = _attached(call, volume_id)
    command = AssistSnapshot(device.uuid, snapshot_id, **files)
    call.app.bell(cell.id, [assist_snapshot.accept(call.app.clock, call.context, cell, row, command)])


def _attached(call: Call, volume_id: str) -> tuple[Cell, Any, BlockDevice]:
    """Raises Invalid for a volume that no server on a host has."""

    def look(connection: Any) -> tuple[Any, BlockDevice] | None:
        for server_uuid, device in block_devices.of_volume(connection, volume_id):
            row = servers.get(connection, server_uuid)
            if row is not None and row["host"]:
                return row, device
        return None

    answers = call.app.store.ask(look)
    for cell, found in answers:
        if found is not None:
            return cell, *found
    answers.whole()
    raise Invalid(f"volume_id: Volume {volume_id} is attached to no server that is on a host")


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        handler=create,
        rule=_RULE + "create",
        body=_CREATE,
        summary="Snapshot a volume that is a file, for the volume service",
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{snapshot_id}",
        handler=delete,
        rule=_RULE + "delete",
        query=fields.query(Field(name="delete_info", schema=Array({"type": "string"}), required=True)),
        strict_query=STRICT_QUERY,
        status=204,
        summary="Remove such a snapshot",
    ),
)
