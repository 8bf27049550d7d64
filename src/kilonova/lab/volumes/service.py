"""The lab's volumes: raw files in a directory of this machine, which guests use directly."""

import logging
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kilonova.kit import codec
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database
from kilonova.kit.errors import Invalid, NotFound
from kilonova.lab.volumes.store.records import Document, Records, VolumeStore

LOG = logging.getLogger(__name__)
ZONE = "nova"
TYPE = {"id": "3f0c1d9e-5b6a-4c0e-9e57-1f1d2b7c6a10", "name": "files"}
_GIB = 1 << 30
_SHARED = frozenset({"available", "in-use", "reserved", "attaching"})
ImageFile = Callable[[str], tuple[Path, Mapping[str, Any]] | None]
"""An active image's file and its record; None when there is none."""


class Missing(NotFound):
    """No such volume, snapshot or attachment, or not for this caller."""

    template = "{kind} {id} could not be found."


class Unfit(Invalid):
    """The present state does not allow it."""

    template = "Invalid {kind}: {reason}"


class LabVolumes:
    """Thread safe. Long copying goes on in the background; what a killed process left half-done is an error."""

    def __init__(self, database: Database, directory: Path, image: ImageFile, clock: Clock | None = None) -> None:
        self._store = VolumeStore(database)
        self._directory = directory
        self._image = image
        self._clock = clock or SystemClock()
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._store.transact(_give_up_unfinished)

    def path(self, ident: str) -> Path:
        """The file of a volume or snapshot."""
        return self._directory / ident

    def find(self, kind: str, ident: str, context: Context) -> Document:
        """Raises Missing."""
        return self._store.transact(lambda records: _find(records, kind, ident, context))

    def listed(self, kind: str, context: Context, *, everyone: bool) -> list[Document]:
        """The project's documents, or everyone's for who may see that; newest first."""
        found = self._store.transact(lambda records: records.all(kind))
        everyone = everyone and context.is_admin
        return [d for d in reversed(found) if everyone or d["project_id"] == context.project_id]

    # -- volumes and snapshots --
    def create(self, context: Context, wanted: Mapping[str, Any]) -> Document:
        """Begin to make a volume. Raises Missing, Unfit."""
        source, size = self._source(context, wanted)
        ident = str(uuid.uuid4())
        image = self._image(wanted["imageRef"]) if wanted.get("imageRef") else None
        document = {
            "id": ident,
            "project_id": context.project_id,
            "user_id": context.user_id,
            "status": "creating",
            "size": size,
            "name": wanted.get("name"),
            "description": wanted.get("description"),
            "snapshot_id": wanted.get("snapshot_id"),
            "source_volid": wanted.get("source_volid"),
            "metadata": dict(wanted.get("metadata") or {}),
            "multiattach": bool(wanted.get("multiattach")),
            "bootable": image is not None,
            "image": _image_metadata(wanted["imageRef"], image[1]) if image is not None else {},
            "created_at": self._now(),
            "updated_at": None,
        }
        if wanted.get("snapshot_id") or wanted.get("source_volid"):
            kind = "snapshot" if wanted.get("snapshot_id") else "volume"
            origin = self.find(kind, wanted.get("snapshot_id") or wanted["source_volid"], context)
            document |= {"bootable": origin.get("bootable", False), "image": origin.get("image", {})}
        self._store.transact(lambda records: records.put("volume", document))
        self._begin("volume", ident, source, size)
        return document

    def _source(self, context: Context, wanted: Mapping[str, Any]) -> tuple[Path | None, int]:
        size = wanted.get("size")
        if wanted.get("imageRef"):
            found = self._image(wanted["imageRef"])
            if found is None:
                raise Unfit(kind="input", reason=f"image {wanted['imageRef']} could not be found or is not active")
            if not size:
                raise Unfit(kind="input", reason="size: a volume from an image needs one")
            return found[0], int(size)
        for field, kind in (("snapshot_id", "snapshot"), ("source_volid", "volume")):
            if wanted.get(field):
                origin = self.find(kind, wanted[field], context)
                if size and int(size) < origin["size"]:
                    raise Unfit(kind="input", reason=f"size: it must be at least {origin['size']}")
                return self.path(origin["id"]), int(size or origin["size"])
        if not size:
            raise Unfit(kind="input", reason="size is required")
        return None, int(size)

    def snapshot(self, context: Context, wanted: Mapping[str, Any]) -> Document:
        """Begin to copy a volume. Raises Missing, Unfit."""
        volume = self.find("volume", wanted["volume_id"], context)
        allowed = ("available", "in-use") if wanted.get("force") else ("available",)
        if volume["status"] not in allowed:
            raise Unfit(kind="volume", reason=f"its status must be available, but it is {volume['status']}")
        document = {
            "id": str(uuid.uuid4()),
            "project_id": volume["project_id"],
            "status": "creating",
            "size": volume["size"],
            "volume_id": volume["id"],
            "name": wanted.get("name"),
            "description": wanted.get("description"),
            "metadata": dict(wanted.get("metadata") or {}),
            "bootable": volume["bootable"],
            "image": volume["image"],
            "created_at": self._now(),
            "updated_at": None,
        }
        self._store.transact(lambda records: records.put("snapshot", document))
        self._begin("snapshot", document["id"], self.path(volume["id"]), volume["size"])
        return document

    def _begin(self, kind: str, ident: str, source: Path | None, size: int) -> None:
        threading.Thread(target=self._make, args=(kind, ident, source, size), name="volume", daemon=True).start()

    def _make(self, kind: str, ident: str, source: Path | None, size: int) -> None:
        status = "available"
        try:
            _fill(self.path(ident), source, size * _GIB)
        except (OSError, subprocess.SubprocessError) as error:
            LOG.warning("%s %s could not be made: %s", kind, ident, error)
            status = "error"
        self.change(kind, ident, {"status": status})

    def change(self, kind: str, ident: str, values: Mapping[str, Any]) -> Document:
        """Set fields of a document. Raises Missing."""

        def write(records: Records) -> Document:
            document = records.get(kind, ident)
            if document is None:
                raise Missing(kind=kind.capitalize(), id=ident)
            return records.put(kind, {**document, **values, "updated_at": self._now()})

        return self._store.transact(write)

    def delete(self, kind: str, ident: str, context: Context) -> None:
        """Raises Missing; Unfit for a volume that is attached or has snapshots."""

        def drop(records: Records) -> None:
            document = _find(records, kind, ident, context)
            if document["status"] not in ("available", "error", "error_restoring"):
                raise Unfit(kind=kind, reason=f"its status must be available or error, but it is {document['status']}")
            if kind == "volume" and any(s["volume_id"] == ident for s in records.all("snapshot")):
                raise Unfit(kind=kind, reason="it has snapshots")
            records.drop(kind, ident)

        self._store.transact(drop)
        self.path(ident).unlink(missing_ok=True)

    def extend(self, ident: str, size: int, context: Context) -> None:
        """Make a volume that is not attached larger. Raises Missing, Unfit."""
        volume = self.find("volume", ident, context)
        if volume["status"] != "available" or size <= volume["size"]:
            raise Unfit(kind="volume", reason=f"it is {volume['status']} and has {volume['size']} GiB")
        _fill(self.path(ident), None, size * _GIB)
        self.change("volume", ident, {"size": size})

    # -- attachments --
    def reserve(self, context: Context, volume_id: str, server_id: str) -> Document:
        """A new attachment. Raises Missing, Unfit."""

        def write(records: Records) -> Document:
            volume = _find(records, "volume", volume_id, context)
            mine = any(a["server_id"] == server_id for a in _of_volume(records, volume_id))
            shared = volume["multiattach"] and volume["status"] in _SHARED
            if volume["status"] != "available" and not shared and not mine:
                raise Unfit(kind="volume", reason=f"Volume {volume_id} status must be available: {volume['status']}")
            attachment = {
                "id": str(uuid.uuid4()),
                "project_id": volume["project_id"],
                "volume_id": volume_id,
                "server_id": server_id,
                "status": "reserved",
                "connector": None,
                "attached_at": None,
            }
            records.put("attachment", attachment)
            _settle(records, volume_id)
            return attachment

        return self._store.transact(write)

    def attach(self, ident: str, context: Context, **values: Any) -> Document:
        """Connect (``connector``) or complete (``status``) an attachment. Raises Missing."""

        def write(records: Records) -> Document:
            attachment = {**_find(records, "attachment", ident, context), **values}
            if values.get("status") == "attached":
                attachment["attached_at"] = self._now()
            records.put("attachment", attachment)
            _settle(records, attachment["volume_id"])
            return attachment

        return self._store.transact(write)

    def release(self, ident: str, context: Context) -> None:
        """Raises Missing."""

        def write(records: Records) -> None:
            attachment = _find(records, "attachment", ident, context)
            records.drop("attachment", ident)
            _settle(records, attachment["volume_id"])

        self._store.transact(write)

    def uses(self, volume_id: str) -> list[Document]:
        """Attachments of a volume that are complete."""
        found = self._store.transact(lambda records: _of_volume(records, volume_id))
        return [attachment for attachment in found if attachment["status"] == "attached"]

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")


def _find(records: Records, kind: str, ident: str, context: Context) -> Document:
    found = records.get(kind, ident)
    if found is None or (found["project_id"] != context.project_id and not context.is_admin):
        raise Missing(kind=kind.capitalize(), id=ident)
    return found


def _of_volume(records: Records, volume_id: str) -> list[Document]:
    return [attachment for attachment in records.all("attachment") if attachment["volume_id"] == volume_id]


def _settle(records: Records, volume_id: str) -> None:
    """A volume's status follows from its attachments."""
    volume = records.get("volume", volume_id)
    if volume is None:
        return
    statuses = {attachment["status"] for attachment in _of_volume(records, volume_id)}
    status = next((s for s in ("attached", "attaching", "reserved") if s in statuses), "available")
    records.put("volume", {**volume, "status": "in-use" if status == "attached" else status})


def _give_up_unfinished(records: Records) -> None:
    for kind in ("volume", "snapshot"):
        for document in records.all(kind):
            if document["status"] == "creating":
                records.put(kind, {**document, "status": "error"})


def _image_metadata(image_id: str, image: Mapping[str, Any]) -> dict[str, str]:
    own = {"image_id": image_id, "image_name": image.get("name") or ""}
    plain = {k: str(image[k]) for k in ("disk_format", "container_format", "min_disk", "min_ram", "size") if k in image}
    return {**plain, **own, **{k: str(v) for k, v in (image.get("properties") or {}).items()}}


def _demand_harmless(source: Path) -> None:
    """An image that names other files of this machine would copy them. Raises OSError."""
    command = ["qemu-img", "info", "-U", "--output=json", str(source)]
    told = codec.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    specific = (told.get("format-specific") or {}).get("data") or {}
    if told.get("backing-filename") or specific.get("data-file") or told["format"] not in ("raw", "qcow2"):
        raise OSError(f"{source.name} is no plain raw or qcow2 image")


def _fill(path: Path, source: Path | None, size: int) -> None:
    """A raw file of ``size`` bytes that begins like ``source``; one that is there is only made larger."""
    if source is not None:
        _demand_harmless(source)
        command = ["qemu-img", "convert", "-U", "-O", "raw", str(source), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=3600)
    path.touch(mode=0o666)
    with path.open("r+b") as file:
        file.truncate(max(size, path.stat().st_size))
