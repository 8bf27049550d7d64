"""Cinder in memory: volumes, snapshots, attachments, and who may see them."""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from kilonova.clients.cinder.contract import (
    AttachmentNotFound,
    Query,
    SnapshotNotFound,
    VolumeNotFound,
    VolumeNotUsable,
)
from kilonova.clients.cinder.facts import Attachment, NewVolume, Snapshot, Use, Volume
from kilonova.kit.context import Context

T = TypeVar("T", Volume, Snapshot)
_RESERVABLE = ("available", "in-use", "reserved", "attaching")


class FakeCinder:
    """Implements ``contract.Cinder``. Give it volumes with ``add``."""

    def __init__(self) -> None:
        self._volumes: dict[str, Volume] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._attachments: dict[str, Attachment] = {}
        self._lock = threading.RLock()
        self.types = {"lvm-1", "ceph"}
        self.interfere: Callable[[str, str], None] = lambda _call, _id: None
        """Called with each change before it is made: raise here what Cinder shall answer."""
        self.made_status = "available"
        """What new volumes become."""
        self.reported: list[tuple[str, str]] = []
        """Snapshots and swaps that compute has reported about."""

    def add(self, size: int = 1, *, project_id: str = "project", **more: Any) -> Volume:
        """An available volume."""
        with self._lock:
            volume = Volume(
                **{"id": str(uuid.uuid4()), "status": "available", "size": size, "project_id": project_id, **more}
            )
            self._volumes[volume.id] = volume
            return volume

    def set(self, volume_id: str, **changes: Any) -> None:
        """Change a volume behind everyone's back."""
        with self._lock:
            self._volumes[volume_id] = replace(self._volumes[volume_id], **changes)

    def everything(self) -> tuple[Sequence[Volume], Sequence[Attachment]]:
        """All volumes and attachments there are."""
        with self._lock:
            return tuple(self._volumes.values()), tuple(self._attachments.values())

    def get(self, context: Context | None, volume_id: str) -> Volume:
        with self._lock:
            volume = self._volumes.get(volume_id)
            if volume is None or not _sees(context, volume):
                raise VolumeNotFound(volume_id=volume_id)
            return volume

    def list(self, context: Context | None, query: Query = ()) -> tuple[Volume, ...]:
        with self._lock:
            return _page([v for v in self._volumes.values() if _sees(context, v)], query)

    def create(self, context: Context | None, new: NewVolume) -> Volume:
        self.interfere("create", new.name or "")
        with self._lock:
            if new.snapshot_id is not None:
                self.snapshot(context, new.snapshot_id)
            project = context.project_id if context else None
            image = {"image_id": new.image_id} if new.image_id else {}
            volume = self.add(
                new.size,
                status=self.made_status,
                name=new.name,
                description=new.description,
                zone=new.zone or "nova",
                volume_type=new.volume_type,
                snapshot_id=new.snapshot_id,
                bootable=bool(new.image_id),
                image_metadata=image,
                metadata=dict(new.metadata),
                project_id=project or "service",
                created_at="2026-01-01T00:00:00.000000",
            )
            return replace(volume, status="creating")

    def delete(self, context: Context | None, volume_id: str) -> bool:
        self.interfere("delete", volume_id)
        with self._lock:
            if volume_id not in self._volumes or not _sees(context, self._volumes[volume_id]):
                return False
            if any(a.volume_id == volume_id for a in self._attachments.values()):
                raise VolumeNotUsable(reason=f"Volume {volume_id} is attached to a server.")
            del self._volumes[volume_id]
            return True

    def has_type(self, context: Context | None, name: str) -> bool:
        del context
        return name in self.types

    def snapshot(self, context: Context | None, snapshot_id: str) -> Snapshot:
        with self._lock:
            found = self._snapshots.get(snapshot_id)
            if found is None or not self._sees_snapshot(context, found):
                raise SnapshotNotFound(snapshot_id=snapshot_id)
            return found

    def snapshots(self, context: Context | None, query: Query = ()) -> tuple[Snapshot, ...]:
        with self._lock:
            return _page([s for s in self._snapshots.values() if self._sees_snapshot(context, s)], query)

    def _sees_snapshot(self, context: Context | None, snapshot: Snapshot) -> bool:
        volume = self._volumes.get(snapshot.volume_id)
        return volume is None or _sees(context, volume)

    def create_snapshot(
        self, context: Context | None, volume_id: str, name: str, description: str = "", *, force: bool = False
    ) -> Snapshot:
        self.interfere("create_snapshot", volume_id)
        with self._lock:
            volume = self.get(context, volume_id)
            if volume.status != "available" and not force:
                raise VolumeNotUsable(reason=f"Volume {volume_id} status must be available, but it is {volume.status}.")
            found = Snapshot(
                id=str(uuid.uuid4()),
                status="available",
                volume_id=volume_id,
                size=volume.size,
                name=name,
                description=description,
                created_at="2026-01-01T00:00:00.000000",
            )
            self._snapshots[found.id] = found
            return replace(found, status="creating")

    def delete_snapshot(self, context: Context | None, snapshot_id: str) -> bool:
        self.interfere("delete_snapshot", snapshot_id)
        with self._lock:
            try:
                self.snapshot(context, snapshot_id)
            except SnapshotNotFound:
                return False
            del self._snapshots[snapshot_id]
            return True

    def attachments(self, server_id: str) -> tuple[Attachment, ...]:
        with self._lock:
            mine = [a for a in self._attachments.values() if a.server_id == server_id]
        return tuple(replace(a, connection_info={}) for a in mine)

    def attachment(self, attachment_id: str) -> Attachment:
        found = self._attachments.get(attachment_id)
        if found is None:
            raise AttachmentNotFound(attachment_id=attachment_id)
        return found

    def reserve(self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None) -> Attachment:
        self.interfere("reserve", volume_id)
        with self._lock:
            volume = self.get(None, volume_id)
            mine = any(a.server_id == server_id and a.volume_id == volume_id for a in self._attachments.values())
            shared = volume.multiattach and volume.status in _RESERVABLE
            if volume.status != "available" and not shared and not mine:
                raise VolumeNotUsable(reason=f"Volume {volume_id} is {volume.status}; it must be available.")
            found = Attachment(id=str(uuid.uuid4()), volume_id=volume_id, server_id=server_id, status="reserved")
            self._keep(found)
        if connector is None:
            return found
        self.interfere("connect", found.id)
        return self._connected(found, connector)

    def connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        self.interfere("connect", attachment_id)
        with self._lock:
            found = self.attachment(attachment_id)
            others = [a for a in self._attachments.values() if a.volume_id == found.volume_id and a.id != found.id]
            if any(a.connection_info for a in others) and not self._volumes[found.volume_id].multiattach:
                raise VolumeNotUsable(reason=f"duplicate connectors detected on volume {found.volume_id}")
            return self._connected(found, connector)

    def _connected(self, found: Attachment, connector: Mapping[str, Any]) -> Attachment:
        with self._lock:
            volume = self._volumes[found.volume_id]
            data = {"volume_id": volume.id, "host": connector["host"], "encrypted": volume.encrypted}
            info: dict[str, Any] = {"driver_volume_type": "fake", "data": data}
            connected = replace(found, status="attaching", connection_info=info)
            self._keep(connected)
            return connected

    def complete(self, attachment_id: str) -> None:
        self.interfere("complete", attachment_id)
        with self._lock:
            self._keep(replace(self.attachment(attachment_id), status="attached"))

    def release(self, attachment_id: str) -> bool:
        self.interfere("release", attachment_id)
        with self._lock:
            found = self._attachments.pop(attachment_id, None)
            if found is not None:
                self._settle(found.volume_id)
            return found is not None

    def migrated(self, old_volume: str, new_volume: str, *, error: bool) -> str:
        self.reported.append((old_volume, "error" if error else new_volume))
        return old_volume if error else new_volume

    def snapshot_status(self, snapshot_id: str, status: str, progress: str | None = None) -> None:
        self.interfere("snapshot_status", snapshot_id)
        self.reported.append((snapshot_id, status if progress is None else f"{status} {progress}"))

    def reimage(self, volume_id: str, image_id: str) -> None:
        self.interfere("reimage", volume_id)
        self.set(volume_id, image_metadata={"image_id": image_id})

    def _keep(self, attachment: Attachment) -> None:
        self._attachments[attachment.id] = attachment
        self._settle(attachment.volume_id)

    def _settle(self, volume_id: str) -> None:
        """The volume's status follows from its attachments."""
        volume = self._volumes.get(volume_id)
        if volume is None:
            return
        mine = [a for a in self._attachments.values() if a.volume_id == volume_id]
        attached = [a for a in mine if a.status == "attached"]
        statuses = {a.status for a in mine}
        status = next((s for s in ("attached", "attaching", "reserved") if s in statuses), "available")
        uses = tuple(Use(server_id=a.server_id, attachment_id=a.id) for a in attached)
        self._volumes[volume_id] = replace(volume, status="in-use" if status == "attached" else status, uses=uses)


def _page(found: Sequence[T], query: Query) -> tuple[T, ...]:
    wanted = dict(query)
    rows = [row for row in found if wanted.get("name") in (None, row.name)]
    for key, value in _metadata(wanted.get("metadata")):
        rows = [row for row in rows if row.metadata.get(key) == value]
    ids = [row.id for row in rows]
    start = ids.index(wanted["marker"]) + 1 if wanted.get("marker") in ids else int(wanted.get("offset", "0"))
    return tuple(rows[start : start + int(wanted.get("limit", "1000"))])


def _metadata(text: str | None) -> list[tuple[str, str]]:
    """Cinder's filter: a dictionary's text."""
    pairs = [pair.partition(":") for pair in (text or "").strip("{}").split(",") if pair]
    return [(key.strip(" '\""), value.strip(" '\"")) for key, _, value in pairs]


def _sees(context: Context | None, volume: Volume) -> bool:
    if context is None or context.token is None or context.is_admin:
        return True
    return volume.project_id == context.project_id
