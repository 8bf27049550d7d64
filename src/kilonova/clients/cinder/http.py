"""Cinder over its API v3. Attachments need its microversion 3.44 (Queens); older ones answer 406."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilonova.clients.cinder.contract import (
    AttachmentNotFound,
    Query,
    SnapshotNotFound,
    VolumeLimitExceeded,
    VolumeNotFound,
    VolumeNotUsable,
)
from kilonova.clients.cinder.facts import Attachment, NewVolume, Snapshot, Use, Volume
from kilonova.clients.keystone.errors import RemoteConflict, RemoteInvalid, RemoteNotFound, RemoteOverQuota
from kilonova.clients.keystone.neighbour import Answer, Neighbour, Request
from kilonova.kit.context import Context
from kilonova.kit.errors import NotFound

_NOT_FOUND = 404
_GONE = 410
_ATTACHMENTS = "3.44"
_REIMAGE = "3.68"


class HttpCinder:
    """Implements ``contract.Cinder``."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def get(self, context: Context | None, volume_id: str) -> Volume:
        return volume_of(self._one(f"/volumes/{volume_id}", context, VolumeNotFound(volume_id=volume_id))["volume"])

    def list(self, context: Context | None, query: Query = ()) -> tuple[Volume, ...]:
        answer = self._call("GET", "/volumes/detail", context, query=query)
        return tuple(volume_of(row) for row in answer.json()["volumes"])

    def create(self, context: Context | None, new: NewVolume) -> Volume:
        wanted: dict[str, Any] = {
            "size": new.size,
            "name": new.name,
            "description": new.description,
            "imageRef": new.image_id,
            "snapshot_id": new.snapshot_id,
            "volume_type": new.volume_type,
            "availability_zone": new.zone,
            "metadata": dict(new.metadata) or None,
        }
        body = {"volume": {name: value for name, value in wanted.items() if value is not None}}
        try:
            return volume_of(self._call("POST", "/volumes", context, body=body).json()["volume"])
        except RemoteOverQuota as error:
            raise VolumeLimitExceeded(reason=error.fields["reason"]) from error

    def delete(self, context: Context | None, volume_id: str) -> bool:
        return self._remove(f"/volumes/{volume_id}", context)

    def has_type(self, context: Context | None, name: str) -> bool:
        found = self._call("GET", "/types", context, query=(("is_public", "None"),)).json()["volume_types"]
        return any(name in (row["id"], row["name"]) for row in found)

    def snapshot(self, context: Context | None, snapshot_id: str) -> Snapshot:
        missing = SnapshotNotFound(snapshot_id=snapshot_id)
        return snapshot_of(self._one(f"/snapshots/{snapshot_id}", context, missing)["snapshot"])

    def snapshots(self, context: Context | None, query: Query = ()) -> tuple[Snapshot, ...]:
        answer = self._call("GET", "/snapshots/detail", context, query=query)
        return tuple(snapshot_of(row) for row in answer.json()["snapshots"])

    def create_snapshot(
        self, context: Context | None, volume_id: str, name: str, description: str = "", *, force: bool = False
    ) -> Snapshot:
        wanted = {"volume_id": volume_id, "name": name, "description": description, "force": force}
        try:
            answer = self._call("POST", "/snapshots", context, body={"snapshot": wanted})
        except RemoteOverQuota as error:
            raise VolumeLimitExceeded(reason=error.fields["reason"]) from error
        except RemoteNotFound as error:
            raise VolumeNotFound(volume_id=volume_id) from error
        except RemoteInvalid as error:
            raise _unusable(error) from error
        return snapshot_of(answer.json()["snapshot"])

    def delete_snapshot(self, context: Context | None, snapshot_id: str) -> bool:
        return self._remove(f"/snapshots/{snapshot_id}", context)

    def attachments(self, server_id: str) -> tuple[Attachment, ...]:
        query = (("all_tenants", "1"), ("instance_id", server_id))
        answer = self._call("GET", "/attachments/detail", None, query=query, version=_ATTACHMENTS)
        return tuple(attachment_of(row) for row in answer.json()["attachments"])

    def attachment(self, attachment_id: str) -> Attachment:
        missing = AttachmentNotFound(attachment_id=attachment_id)
        return attachment_of(self._one(f"/attachments/{attachment_id}", None, missing, _ATTACHMENTS)["attachment"])

    def reserve(self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None) -> Attachment:
        wanted = {"volume_uuid": volume_id, "instance_uuid": server_id}
        body = {"attachment": wanted if connector is None else {**wanted, "connector": dict(connector)}}
        try:
            answer = self._call("POST", "/attachments", None, body=body, version=_ATTACHMENTS)
        except RemoteNotFound as error:
            raise VolumeNotFound(volume_id=volume_id) from error
        except (RemoteInvalid, RemoteConflict) as error:
            raise _unusable(error) from error
        return attachment_of(answer.json()["attachment"])

    def connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        body = {"attachment": {"connector": dict(connector)}}
        return attachment_of(self._on_attachment("PUT", attachment_id, body).json()["attachment"])

    def complete(self, attachment_id: str) -> None:
        self._on_attachment("POST", attachment_id, {"os-complete": None}, suffix="/action")

    def release(self, attachment_id: str) -> bool:
        return self._remove(f"/attachments/{attachment_id}", None, _ATTACHMENTS)

    def migrated(self, old_volume: str, new_volume: str, *, error: bool) -> str:
        body = {"os-migrate_volume_completion": {"new_volume": new_volume, "error": error}}
        return str(self._call("POST", f"/volumes/{old_volume}/action", None, body=body).json()["save_volume_id"])

    def reimage(self, volume_id: str, image_id: str) -> None:
        body = {"os-reimage": {"image_id": image_id, "reimage_reserved": True}}
        self._call("POST", f"/volumes/{volume_id}/action", None, body=body, version=_REIMAGE)

    def snapshot_status(self, snapshot_id: str, status: str, progress: str | None = None) -> None:
        told = {"status": status} if progress is None else {"status": status, "progress": progress}
        try:
            self._call("POST", f"/snapshots/{snapshot_id}/action", None, body={"os-update_snapshot_status": told})
        except RemoteNotFound as error:
            raise SnapshotNotFound(snapshot_id=snapshot_id) from error

    # -- calls --
    def _call(
        self,
        method: str,
        path: str,
        context: Context | None,
        *,
        query: Query = (),
        body: Any = None,
        version: str | None = None,
    ) -> Answer:
        return self._neighbour.call(self._request(method, path, context, query=query, body=body, version=version))

    def _request(  # one call's facts
        self,
        method: str,
        path: str,
        context: Context | None,
        *,
        query: Query = (),
        body: Any = None,
        version: str | None = None,
    ) -> Request:
        """Paths name the project of whoever asks; volumes of other projects are found by the service all the same."""
        as_user = context is not None and context.token is not None
        project = context.project_id if context is not None and as_user else self._neighbour.project_id()
        return Request(
            method=method,
            path=(f"/v3/{project}" if project else "/v3") + path,
            query=query,
            body=body,
            headers={"OpenStack-API-Version": f"volume {version}"} if version else {},
            context=context,
            as_user=True,
            vouched=True,
        )

    def _one(self, path: str, context: Context | None, missing: NotFound, version: str | None = None) -> Any:
        try:
            return self._call("GET", path, context, version=version).json()
        except RemoteNotFound as error:
            raise missing from error

    def _on_attachment(self, method: str, attachment_id: str, body: Any, *, suffix: str = "") -> Answer:
        path = f"/attachments/{attachment_id}{suffix}"
        try:
            return self._call(method, path, None, body=body, version=_ATTACHMENTS)
        except RemoteNotFound as error:
            raise AttachmentNotFound(attachment_id=attachment_id) from error

    def _remove(self, path: str, context: Context | None, version: str | None = None) -> bool:
        request = replace(self._request("DELETE", path, context, version=version), accept=(_NOT_FOUND, _GONE))
        try:
            return self._neighbour.call(request).status not in (_NOT_FOUND, _GONE)
        except RemoteInvalid as error:
            raise _unusable(error) from error


def _unusable(error: RemoteInvalid | RemoteConflict) -> VolumeNotUsable:
    return VolumeNotUsable(reason=str(error.fields["reason"]).removeprefix("Invalid volume: "))


def volume_of(row: Mapping[str, Any]) -> Volume:
    """Cinder's document as facts."""
    return Volume(
        id=row["id"],
        status=row["status"],
        size=row["size"],
        name=row.get("name"),
        description=row.get("description"),
        zone=row.get("availability_zone"),
        volume_type=row.get("volume_type"),
        snapshot_id=row.get("snapshot_id"),
        bootable=str(row.get("bootable", "")).lower() == "true",
        multiattach=bool(row.get("multiattach")),
        encrypted=bool(row.get("encrypted")),
        image_metadata=row.get("volume_image_metadata") or {},
        metadata=row.get("metadata") or {},
        uses=tuple(_use(use) for use in row.get("attachments") or ()),
        project_id=row.get("os-vol-tenant-attr:tenant_id"),
        created_at=row.get("created_at"),
    )


def _use(row: Mapping[str, Any]) -> Use:
    return Use(server_id=row["server_id"], attachment_id=row.get("attachment_id"), device=row.get("device"))


def snapshot_of(row: Mapping[str, Any]) -> Snapshot:
    """Cinder's document as facts."""
    return Snapshot(
        id=row["id"],
        status=row["status"],
        volume_id=row["volume_id"],
        size=row["size"],
        name=row.get("name"),
        description=row.get("description"),
        metadata=row.get("metadata") or {},
        created_at=row.get("created_at"),
    )


def attachment_of(row: Mapping[str, Any]) -> Attachment:
    """Cinder's document as facts: its connection information is the driver's data with two words about it mixed in."""
    data = dict(row.get("connection_info") or {})
    kind = data.pop("driver_volume_type", None)
    own = {name: data.pop(name) for name in ("attachment_id", "enforce_multipath") if name in data}
    own.pop("attachment_id", None)
    found = {"driver_volume_type": kind, "data": data, **own} if kind else {}
    return Attachment(
        id=row["id"],
        volume_id=row["volume_id"],
        server_id=row["instance"],
        status=row["status"],
        connection_info=found,
    )
