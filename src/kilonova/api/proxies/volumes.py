"""``/os-volumes`` and ``/os-snapshots``: Cinder's volumes in the words of the Compute API."""

from collections.abc import Callable
from typing import Any

from kilonova.api import fields
from kilonova.api.microversions import PROXIES_UNTIL
from kilonova.clients.cinder.contract import SnapshotNotFound, VolumeNotFound
from kilonova.clients.cinder.facts import NewVolume, Snapshot, Use, Volume
from kilonova.kit.errors import Unsupported
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field

_VOLUMES = "/os-volumes"
_VOLUME = _VOLUMES + "/{volume_id}"
_SNAPSHOTS = "/os-snapshots"
_SNAPSHOT = _SNAPSHOTS + "/{snapshot_id}"
_RULE = "os_compute_api:os-volumes:"
_TEXT: Any = {"type": ["string", "null"], "maxLength": 255}
_CREATE = fields.wrapped(
    "volume",
    Field(name="size", schema=fields.integer(1), required=True),
    Field(name="display_name", schema=_TEXT),
    Field(name="display_description", schema=_TEXT),
    Field(name="volume_type", schema=_TEXT),
    Field(name="snapshot_id", schema=_TEXT),
    Field(name="availability_zone", schema=_TEXT),
    Field(name="metadata", schema=fields.nullable({"type": "object"})),
)
_CREATE_SNAPSHOT = fields.wrapped(
    "snapshot",
    Field(name="volume_id", schema=fields.TEXT_255, required=True),
    Field(name="force", schema=fields.BOOLEAN),
    Field(name="display_name", schema=_TEXT),
    Field(name="display_description", schema=_TEXT),
)
_PAGE = fields.query("limit", "offset")


class NoVolumes(Unsupported):
    """There is no Cinder."""

    template = "There is no volume service here"


def _cinder(call: Call) -> Any:
    if call.app.volumes is None:
        raise NoVolumes
    return call.app.volumes


def _attachment(volume: Volume, use: Use) -> dict[str, str]:
    found = {"id": volume.id, "volumeId": volume.id, "serverId": use.server_id}
    return {**found, "device": use.device} if use.device else found


def _volume(volume: Volume) -> dict[str, Any]:
    return {
        "id": volume.id,
        "status": volume.status,
        "size": volume.size,
        "availabilityZone": volume.zone,
        "createdAt": volume.created_at,
        "displayName": volume.name,
        "displayDescription": volume.description,
        "volumeType": volume.volume_type,
        "snapshotId": volume.snapshot_id,
        "metadata": dict(volume.metadata),
        "attachments": [_attachment(volume, use) for use in volume.uses] or [{}],
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "volumeId": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size,
        "createdAt": snapshot.created_at,
        "displayName": snapshot.name,
        "displayDescription": snapshot.description,
    }


def _query(call: Call) -> list[tuple[str, str]]:
    limit, offset = call.integer("limit", call.app.api.max_limit), call.integer("offset")
    page = [("limit", str(min(limit or 0, call.app.api.max_limit) or call.app.api.max_limit))]
    return page if offset is None else [*page, ("offset", str(offset))]


def volumes(call: Call) -> Any:
    """The project's volumes; list and detailed list have always been the same."""
    return {"volumes": [_volume(volume) for volume in _cinder(call).list(call.context, _query(call))]}


def volume(call: Call) -> Any:
    """Raises VolumeNotFound."""
    return {"volume": _volume(_cinder(call).get(call.context, call.params["volume_id"]))}


def create_volume(call: Call) -> Any:
    """Cinder makes it. Raises what Cinder refuses."""
    wanted = call.body["volume"]
    new = NewVolume(
        size=fields.whole("size", wanted["size"], 1),
        name=wanted.get("display_name"),
        description=wanted.get("display_description"),
        volume_type=wanted.get("volume_type"),
        snapshot_id=wanted.get("snapshot_id"),
        zone=wanted.get("availability_zone"),
        metadata=wanted.get("metadata") or {},
    )
    return {"volume": _volume(_cinder(call).create(call.context, new))}


def delete_volume(call: Call) -> None:
    """Raises VolumeNotFound, and VolumeNotUsable for one in use."""
    ident = call.params["volume_id"]
    if not _cinder(call).delete(call.context, ident):
        raise VolumeNotFound(volume_id=ident)


def snapshots(call: Call) -> Any:
    """The project's snapshots."""
    return {"snapshots": [_snapshot(found) for found in _cinder(call).snapshots(call.context, _query(call))]}


def snapshot(call: Call) -> Any:
    """Raises SnapshotNotFound."""
    return {"snapshot": _snapshot(_cinder(call).snapshot(call.context, call.params["snapshot_id"]))}


def create_snapshot(call: Call) -> Any:
    """Of a volume; of one in use with ``force``."""
    wanted = call.body["snapshot"]
    made = _cinder(call).create_snapshot(
        call.context,
        wanted["volume_id"],
        wanted.get("display_name") or "",
        wanted.get("display_description") or "",
        force=fields.truth(wanted.get("force", False)),
    )
    return {"snapshot": _snapshot(made)}


def delete_snapshot(call: Call) -> None:
    """Raises SnapshotNotFound."""
    ident = call.params["snapshot_id"]
    if not _cinder(call).delete_snapshot(call.context, ident):
        raise SnapshotNotFound(snapshot_id=ident)


def _endpoint(method: str, path: str, handler: Callable[[Call], Any], rule: str, **more: Any) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, rule=_RULE + rule, until=PROXIES_UNTIL, **more)


ENDPOINTS = (
    _endpoint("GET", _VOLUMES, volumes, "list", query=_PAGE, summary="List volumes"),
    _endpoint("POST", _VOLUMES, create_volume, "create", body=_CREATE, summary="Create a volume"),
    _endpoint("GET", _VOLUMES + "/detail", volumes, "detail", query=_PAGE, summary="List volumes"),
    _endpoint("GET", _VOLUME, volume, "show", summary="Show a volume"),
    _endpoint("DELETE", _VOLUME, delete_volume, "delete", status=202, summary="Delete a volume"),
    _endpoint("GET", _SNAPSHOTS, snapshots, "snapshots:list", query=_PAGE, summary="List snapshots"),
    _endpoint("POST", _SNAPSHOTS, create_snapshot, "snapshots:create", body=_CREATE_SNAPSHOT, summary="Snapshot"),
    _endpoint("GET", _SNAPSHOTS + "/detail", snapshots, "snapshots:detail", query=_PAGE, summary="List snapshots"),
    _endpoint("GET", _SNAPSHOT, snapshot, "snapshots:show", summary="Show a snapshot"),
    _endpoint("DELETE", _SNAPSHOT, delete_snapshot, "snapshots:delete", status=202, summary="Delete a snapshot"),
)
