"""``/v2/images/{id}/file``: data in and out, never whole in memory."""

import re

from kilonova.kit.errors import Conflict, Forbidden, Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.errors import HttpError
from kilonova.lab.images import access
from kilonova.lab.images.files import NoSpace, Stored
from kilonova.lab.images.store.images import ImageNotFound, Row

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class HasData(Conflict):
    """Data cannot be put twice, nor by two at once."""

    template = "Image status transition from {status} to saving is not allowed"


class Deactivated(Forbidden):
    """The image's data is withheld."""

    template = "The requested image has been deactivated. Image data download is forbidden."


def _upload(call: Call) -> None:
    row = access.changeable(call.app.store, call.context, call.params["image_id"], "upload_image")
    media = (call.headers.get("CONTENT-TYPE") or "").split(";")[0].strip().lower()
    if media != "application/octet-stream":
        raise HttpError(415, f"Unsupported Content-Type {media}; use application/octet-stream")
    missing = [name for name in ("container_format", "disk_format") if not row[name]]
    if missing:
        raise Invalid(f"Properties {', '.join(missing)} must be set prior to saving data.")
    if not call.app.store.move(row["id"], "queued", {"status": "saving", "updated_at": call.app.clock.now()}):
        raise HasData(status=row["status"])
    try:
        stored = _keep(call, row)
    except BaseException:
        call.app.store.move(row["id"], "saving", {"status": "queued"})
        raise
    if not call.app.store.move(row["id"], "saving", _active(call, stored)):
        # Deleted while the data came in.
        call.app.files.remove(row["id"])
        raise ImageNotFound(image_id=row["id"])


def _keep(call: Call, row: Row) -> Stored:
    if call.stream is None:
        raise Invalid("The request has no body.")
    length = call.headers.get("CONTENT-LENGTH")
    try:
        stored: Stored = call.app.files.write(
            row["id"], call.stream, int(length) if length else None, row["disk_format"]
        )
    except NoSpace as error:
        raise HttpError(413, str(error)) from error
    except (ValueError, ConnectionError) as error:
        raise Invalid(f"The upload broke off: {error}") from error
    return stored


def _active(call: Call, stored: Stored) -> Row:
    return {
        "status": "active",
        "size": stored.size,
        "virtual_size": stored.virtual_size,
        "checksum": stored.checksum,
        "os_hash_algo": "sha512",
        "os_hash_value": stored.os_hash_value,
        "updated_at": call.app.clock.now(),
    }


def _download(call: Call) -> Reply:
    row = access.visible(call.app.store, call.context, call.params["image_id"])
    if row["status"] == "deactivated" and not call.context.is_admin:
        raise Deactivated
    if row["size"] is None:
        return Reply(status=204)
    first, last = _wanted(call.headers.get("RANGE"), row["size"])
    count = last - first + 1
    headers = {"Content-Length": str(count), "Accept-Ranges": "bytes"}
    partial = count != row["size"]
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{row['size']}"
    else:
        headers["Content-MD5"] = row["checksum"]
    return Reply(
        status=206 if partial else 200,
        headers=headers,
        content_type="application/octet-stream",
        stream=call.app.files.read(row["id"], first, count),
    )


def _wanted(header: str | None, size: int) -> tuple[int, int]:
    """First and last byte of one range; several ranges, or another unit, mean everything. Raises 416."""
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match[1] or match[2]):
        return 0, size - 1
    if not match[1]:
        first, last = max(size - int(match[2]), 0), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if first > last or first >= size:
        raise HttpError(416, f"The range {header} is not within the image", {"Content-Range": f"bytes */{size}"})
    return first, last


_FILE = "/v2/images/{image_id}/file"
ENDPOINTS = [
    Endpoint(method="PUT", path=_FILE, handler=_upload, raw_body=True, status=204),
    Endpoint(method="GET", path=_FILE, handler=_download),
]
