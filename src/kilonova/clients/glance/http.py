"""Glance over its Images API v2."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kilonova.clients.glance.contract import ImageCorrupt, ImageHasNoData, ImageNotFound, ImageNotQueued, ImageTooLong
from kilonova.clients.glance.facts import Image, NewImage
from kilonova.clients.keystone.errors import RemoteConflict, RemoteNotFound
from kilonova.clients.keystone.neighbour import Answer, Neighbour, Request
from kilonova.kit import codec
from kilonova.kit.context import Context

_PATCH = "application/openstack-images-v2.1-json-patch"
_OCTETS = "application/octet-stream"
_NOT_FOUND = 404
_RENAMED = {"os_hash_algo": "hash_algo", "os_hash_value": "hash_value", "os_hidden": "hidden"}
_ATTRIBUTES = frozenset(Image.__dataclass_fields__) - {"properties"}
_NO_PROPERTY = frozenset(
    {"self", "file", "schema", "locations", "direct_url", "stores", "os_glance_importing_to_stores"}
)


class HttpGlance:
    """Implements ``contract.Glance``, and with ``download`` and ``upload`` the hypervisor's ``Images``."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def url(self) -> str:
        return self._neighbour.location().url

    def get(self, context: Context | None, image_id: str) -> Image:
        return image_of(self._about(image_id, "GET", context=context).json())

    def list(self, context: Context | None, query: Sequence[tuple[str, str]] = ()) -> tuple[Image, ...]:
        document = self._neighbour.get("/v2/images", query, context=context, as_user=True)
        return tuple(image_of(row) for row in document["images"])

    def create(self, context: Context | None, new: NewImage) -> Image:
        try:
            return image_of(self._neighbour.post("/v2/images", body_of(new), context=context, as_user=True))
        except RemoteConflict:
            if new.id is None:
                raise
            return self.get(context, new.id)

    def update(
        self,
        context: Context | None,
        image_id: str,
        changes: Mapping[str, str | int | None],
        remove: Sequence[str] = (),
    ) -> Image:
        patch: list[dict[str, Any]] = [
            {"op": "add", "path": f"/{_pointer(name)}", "value": value} for name, value in changes.items()
        ]
        patch += [{"op": "remove", "path": f"/{_pointer(name)}"} for name in remove]
        return image_of(self._about(image_id, "PATCH", context=context, body=patch, content_type=_PATCH).json())

    def delete(self, context: Context | None, image_id: str) -> bool:
        request = Request(
            method="DELETE", path=f"/v2/images/{image_id}", context=context, as_user=True, accept=(_NOT_FOUND,)
        )
        return self._neighbour.call(request).status != _NOT_FOUND

    def download(self, image_id: str, target: Path) -> None:
        image = self.get(None, image_id)
        if image.status != "active":
            raise ImageHasNoData(image_id=image_id, status=image.status)
        chunks = self._neighbour.chunks(
            Request(method="GET", path=f"/v2/images/{image_id}/file", headers={"Accept": _OCTETS})
        )
        try:
            save(image, chunks, target)
        except RemoteNotFound as error:
            raise ImageNotFound(image_id=image_id) from error

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        image = self.get(None, image_id)
        if image.status == "active":
            return
        if image.status != "queued":
            raise ImageNotQueued(image_id=image_id, status=image.status)
        wanted = {"disk_format": disk_format, "container_format": image.container_format or "bare"}
        if (image.disk_format, image.container_format) != tuple(wanted.values()):
            self.update(None, image_id, wanted)
        with source.open("rb") as data:
            self._about(image_id, "PUT", suffix="/file", body=data, content_type=_OCTETS)

    def _about(
        self,
        image_id: str,
        method: str,
        *,
        context: Context | None = None,
        suffix: str = "",
        body: Any = None,
        content_type: str | None = None,
    ) -> Answer:
        """A call on one image; its 404 is ImageNotFound."""
        plain = body is None or hasattr(body, "read")
        request = Request(
            method=method,
            path=f"/v2/images/{image_id}{suffix}",
            body=body if plain else codec.dumps(body),
            headers={"Content-Type": content_type} if content_type else {},
            context=context,
            as_user=True,
        )
        try:
            return self._neighbour.call(request)
        except RemoteNotFound as error:
            raise ImageNotFound(image_id=image_id) from error


def save(image: Image, chunks: Iterable[bytes], target: Path) -> None:
    """Write no more than Glance said, verify, then give the file its name. Raises ImageCorrupt, ImageTooLong."""
    algorithm, expected = (image.hash_algo, image.hash_value) if image.hash_value else ("md5", image.checksum)
    digest = hashlib.new(algorithm or "sha512", usedforsecurity=False)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                if image.size and file.tell() + len(chunk) > image.size:
                    raise ImageTooLong(image_id=image.id, size=image.size)
                file.write(chunk)
        if expected is not None and digest.hexdigest() != expected:
            raise ImageCorrupt(image_id=image.id, algorithm=digest.name, found=digest.hexdigest(), expected=expected)
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def image_of(row: Mapping[str, Any]) -> Image:
    """Glance's document as facts; what is neither an attribute nor a link is a property."""
    attributes: dict[str, Any] = {}
    properties: dict[str, str] = {}
    for key, value in row.items():
        name = _RENAMED.get(key, key)
        if name in _ATTRIBUTES:
            attributes[name] = value
        elif key not in _NO_PROPERTY and value is not None:
            properties[key] = value if isinstance(value, str) else codec.text(value)
    attributes["size"] = attributes.get("size") or 0
    attributes["tags"] = tuple(attributes.get("tags") or ())
    attributes.setdefault("name", None)
    return Image(**attributes, properties=properties)


def body_of(new: NewImage) -> dict[str, Any]:
    """The body of POST /v2/images."""
    body: dict[str, Any] = {**new.properties, "name": new.name, "visibility": new.visibility, "tags": list(new.tags)}
    body |= {"min_disk": new.min_disk, "min_ram": new.min_ram}
    for name in ("id", "owner", "disk_format", "container_format"):
        value = getattr(new, name)
        if value is not None:
            body[name] = value
    return body


def _pointer(name: str) -> str:
    """A property name inside a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
