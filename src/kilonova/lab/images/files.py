"""Image data on disk: one file an image, written beside its place and moved there when it is whole."""

import contextlib
import errno
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kilonova.kit.errors import Invalid, KilonovaError, NotFound

CHUNK = 1 << 18
_QCOW2 = b"QFI\xfb"


class NoSpace(KilonovaError):
    """The disk is full."""

    template = "There is not enough disk space on the image storage media."


class Incomplete(Invalid):
    """The client went away before the end."""

    template = "The upload ended after {received} bytes; {expected} were announced."


class DataMissing(NotFound):
    """The record says there is data, the disk says there is none."""

    template = "No image data could be found for image {image_id}"


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Stored:
    """What was found out about data while it went by."""

    size: int
    virtual_size: int | None
    checksum: str
    """MD5, hexadecimal."""
    os_hash_value: str
    """SHA-512, hexadecimal."""


class ImageFiles:
    """The files below ``directory``, which is made when missing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / ".incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def clear_incoming(self) -> None:
        """Forget parts of uploads that an earlier process did not finish. Call before serving."""
        for part in self._incoming.iterdir():
            part.unlink()

    def write(self, image_id: str, source: Readable, expected: int | None, disk_format: str | None) -> Stored:
        """Keep a body. Raises Incomplete, NoSpace; then nothing is left behind.

        ``expected`` is the announced number of bytes, None for a chunked body.
        """
        part = self._incoming / image_id
        try:
            with part.open("wb") as target:
                stored = _copy(source, target, disk_format)
                if expected is not None and stored.size != expected:
                    raise Incomplete(received=stored.size, expected=expected)
                os.fsync(target.fileno())
            part.replace(self._directory / image_id)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace from error
            raise
        finally:
            part.unlink(missing_ok=True)
        return stored

    def read(self, image_id: str, first: int, count: int) -> Iterator[bytes]:
        """``count`` bytes from ``first``. Raises DataMissing at once, not at the first chunk."""
        try:
            source = (self._directory / image_id).open("rb")
        except FileNotFoundError as error:
            raise DataMissing(image_id=image_id) from error
        return _chunks(source, first, count)

    def remove(self, image_id: str) -> None:
        """Forget an image's data; without any nothing happens."""
        (self._directory / image_id).unlink(missing_ok=True)


def _copy(source: Readable, target: BinaryIO, disk_format: str | None) -> Stored:
    md5, sha = hashlib.md5(usedforsecurity=False), hashlib.sha512()
    size, head = 0, b""
    while chunk := source.read(CHUNK):
        if len(head) < 32:  # noqa: PLR2004  # as much of a qcow2 header as tells the size
            head += chunk[:32]
        md5.update(chunk)
        sha.update(chunk)
        target.write(chunk)
        size += len(chunk)
    return Stored(size, _virtual_size(head, size, disk_format), md5.hexdigest(), sha.hexdigest())


def _virtual_size(head: bytes, size: int, disk_format: str | None) -> int | None:
    """Bytes the guest will see: of raw and ISO the file's, of qcow2 what its header says (bytes 24 to 31)."""
    if disk_format in ("raw", "iso"):
        return size
    if disk_format == "qcow2" and head.startswith(_QCOW2) and len(head) >= 32:  # noqa: PLR2004  # the same header
        return int(struct.unpack(">Q", head[24:32])[0])
    return None


def _chunks(source: BinaryIO, first: int, count: int) -> Iterator[bytes]:
    with contextlib.closing(source):
        source.seek(first)
        while count > 0 and (chunk := source.read(min(CHUNK, count))):
            count -= len(chunk)
            yield chunk
