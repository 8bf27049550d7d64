"""Glance in memory: images, their data, and who may see them."""

import hashlib
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilonova.clients.glance.contract import ImageHasNoData, ImageNotFound, ImageNotQueued
from kilonova.clients.glance.facts import Image, NewImage
from kilonova.clients.glance.http import save
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.context import Context
from kilonova.kit.errors import Forbidden, Invalid

_FILTERS = ("name", "status", "visibility", "owner", "disk_format", "container_format", "id", "min_disk", "min_ram")
_CONTROL = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "tag", "os_hidden"})
_CONTROL |= {"size_min", "size_max", "created_at", "updated_at"}
"""Keys of the query that are no property."""
_ATTRIBUTES = frozenset(
    {"name", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected", "owner"}
)
_QCOW2 = b"QFI\xfb"
"""How such a file begins."""


class FakeGlance:
    """Implements ``contract.Glance``. Give it images with ``add``."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._images: dict[str, Image] = {}
        self._data: dict[str, bytes] = {}
        self._lock = threading.RLock()

    def add(self, new: NewImage, data: bytes = b"") -> Image:
        """An active image with ``data``."""
        with self._lock:
            image = self.create(None, new)
            return self._fill(image, data, new.disk_format or "qcow2")

    def data(self, image_id: str) -> bytes:
        """What was uploaded. Raises ImageNotFound."""
        self.get(None, image_id)
        return self._data.get(image_id, b"")

    def url(self) -> str:
        return "http://image.test"

    def get(self, context: Context | None, image_id: str) -> Image:
        with self._lock:
            image = self._images.get(image_id)
            if image is None or not _sees(context, image):
                raise ImageNotFound(image_id=image_id)
            return image

    def list(self, context: Context | None, query: Sequence[tuple[str, str]] = ()) -> tuple[Image, ...]:
        wanted = dict(query)
        with self._lock:
            seen = [image for image in reversed(self._images.values()) if _sees(context, image)]
        own = {key: value for key, value in wanted.items() if key not in _CONTROL | set(_FILTERS)}
        found = [i for i in seen if all(str(getattr(i, f)) == wanted[f] for f in _FILTERS if f in wanted)]
        found = [i for i in found if own.items() <= i.properties.items()]
        ids = [image.id for image in found]
        start = ids.index(wanted["marker"]) + 1 if wanted.get("marker") in ids else 0
        return tuple(found[start : start + int(wanted.get("limit", "25"))])

    def create(self, context: Context | None, new: NewImage) -> Image:
        with self._lock:
            if new.id in self._images:
                return self.get(context, new.id)
            now = self._now()
            image = Image(
                id=new.id or str(uuid.uuid4()),
                name=new.name,
                status="queued",
                owner=new.owner or (context.project_id if context else None),
                visibility=new.visibility,
                disk_format=new.disk_format,
                container_format=new.container_format,
                min_disk=new.min_disk,
                min_ram=new.min_ram,
                tags=new.tags,
                created_at=now,
                updated_at=now,
                properties=dict(new.properties),
            )
            self._images[image.id] = image
            return image

    def update(
        self,
        context: Context | None,
        image_id: str,
        changes: Mapping[str, str | int | None],
        remove: Sequence[str] = (),
    ) -> Image:
        with self._lock:
            image = self.get(context, image_id)
            attributes: dict[str, Any] = {name: value for name, value in changes.items() if name in _ATTRIBUTES}
            added = {name: str(value) for name, value in changes.items() if name not in _ATTRIBUTES}
            kept = {name: value for name, value in image.properties.items() if name not in remove}
            image = replace(image, **attributes, properties=kept | added, updated_at=self._now())
            self._images[image_id] = image
            return image

    def delete(self, context: Context | None, image_id: str) -> bool:
        with self._lock:
            try:
                image = self.get(context, image_id)
            except ImageNotFound:
                return False
            if image.protected:
                raise Forbidden(f"Glance: Image {image_id} is protected and cannot be deleted.")
            del self._images[image_id]
            self._data.pop(image_id, None)
            return True

    def download(self, image_id: str, target: Path) -> None:
        image = self.get(None, image_id)
        if image.status != "active":
            raise ImageHasNoData(image_id=image_id, status=image.status)
        save(image, [self._data[image_id]], target)

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        with self._lock:
            image = self.get(None, image_id)
            if image.status == "active":
                return
            if image.status != "queued":
                raise ImageNotQueued(image_id=image_id, status=image.status)
            data = source.read_bytes()
            if disk_format == "qcow2" and not data.startswith(_QCOW2):
                raise Invalid("Image disk_format qcow2 does not match the data")  # Glance 33 looks, too
            self._fill(image, data, disk_format)

    def _fill(self, image: Image, data: bytes, disk_format: str) -> Image:
        self._data[image.id] = data
        filled = replace(
            image,
            status="active",
            size=len(data),
            disk_format=disk_format,
            container_format=image.container_format or "bare",
            checksum=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            hash_algo="sha512",
            hash_value=hashlib.sha512(data).hexdigest(),
            updated_at=self._now(),
        )
        self._images[image.id] = filled
        return filled

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _sees(context: Context | None, image: Image) -> bool:
    if context is None or context.token is None or context.is_admin:
        return True
    return image.visibility in ("public", "community") or image.owner == context.project_id
