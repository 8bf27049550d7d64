"""Images kept on the host: fetched once, checked, shared by every guest started from them.

They are stored raw by default (``force_raw_images``): a raw file has no header, so nothing a guest or an image's
author wrote can ever make QEMU open another file, and a guest's read goes through one qcow2 table instead of two.
Holes stay holes, so raw costs no more space than an uncompressed qcow2.
"""

import contextlib
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kilonova.hypervisor.contracts import ImageFacts, Images, InvalidImage, Progress
from kilonova.hypervisor.libvirt.images.inspect import DISK_FORMATS, objection
from kilonova.hypervisor.libvirt.images.tools import DiskTool, ImageInfo

LOG = logging.getLogger(__name__)
_PART = ".part"
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


class ImageTooBig(InvalidImage):
    """For this one guest; another may have room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedImage:
    """An image in the cache, ready to back a disk."""

    path: Path
    format: str
    """``raw`` or ``qcow2``."""
    virtual_size: int
    """Bytes."""


class ImageCache:
    """The folder of cached images; one per host, safe for many threads.

    Files are ``<image id>.<format>``; whatever ends in ``.part`` is half made and is made anew.
    """

    def __init__(self, folder: Path, images: Images, tool: DiskTool, *, force_raw: bool, vmdk: Collection[str]) -> None:
        self._folder = folder
        self._images = images
        self._tool = tool
        self._force_raw = force_raw
        self._vmdk = vmdk
        self._lock = threading.Lock()
        self._running: dict[str, Future[CachedImage]] = {}

    def get(self, image: ImageFacts, progress: Progress, *, limit: int | None = None) -> CachedImage:
        """The image, fetched if need be; whoever asks for one that is being fetched waits for that.

        ``limit``: bytes of the disk that it is for. A small file may hold a disk as big as all hosts together, so this
        is looked at before anything is unpacked.
        Raises InvalidImage for one that must not be used, NotFound when Glance has no data.
        """
        if _NAME.fullmatch(image.id) is None:
            raise InvalidImage(image_id=image.id, reason="its id is no file name")
        mine: Future[CachedImage] = Future()
        with self._lock:
            running = self._running.setdefault(image.id, mine)
        if running is not mine:
            progress("waiting for the image, which another guest is fetching")
            try:
                return _fitting(running.result(), image, limit)
            except ImageTooBig:  # perhaps for the other guest only
                return self.get(image, progress, limit=limit)
        try:
            found = self._present(image) or self._fetch(image, progress, limit)
        except BaseException as error:
            self._finish(image.id)
            mine.set_exception(error)
            raise
        self._finish(image.id)
        mine.set_result(found)
        return _fitting(found, image, limit)

    def _finish(self, image_id: str) -> None:
        with self._lock:
            del self._running[image_id]

    def blob(self, image_id: str) -> Path:
        """A kernel or ramdisk: cached like an image, but never opened by a disk tool."""
        try:
            target = self._folder / f"{UUID(image_id)}.blob"
        except ValueError as error:  # an image's owner wrote the id into a property
            raise InvalidImage(image_id=image_id, reason="a kernel or ramdisk id must be a UUID") from error
        with self._lock:
            if not target.exists():
                self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
                part = target.with_suffix(_PART)
                self._images.download(image_id, part)
                part.chmod(0o644)
                part.rename(target)
        os.utime(target)
        return target

    def has(self, image: ImageFacts) -> bool:
        """Is it there already? Being asked counts as being used."""
        return self._present(image) is not None

    def _present(self, image: ImageFacts) -> CachedImage | None:
        for fmt in ("raw", "qcow2"):
            path = self._folder / f"{image.id}.{fmt}"
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)  # its age counts from its last use
                size = path.stat().st_size if fmt == "raw" else self._tool.info(path, fmt).virtual_size
                return CachedImage(path=path, format=fmt, virtual_size=size)
        return None

    def _fetch(self, image: ImageFacts, progress: Progress, limit: int | None) -> CachedImage:
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        fetched = self._folder / f"{image.id}.download{_PART}"
        try:
            progress("downloading the image")
            self._images.download(image.id, fetched)
            info = self._check(image, fetched)
            _judge_size(info.virtual_size, image, limit)
            return self._keep(image, fetched, info, progress)
        finally:
            fetched.unlink(missing_ok=True)

    def _check(self, image: ImageFacts, fetched: Path) -> ImageInfo:
        reason = objection(image.disk_format, fetched) or _damage(image, fetched)
        if reason is None:
            info = self._tool.info(fetched, DISK_FORMATS[image.disk_format])
            reason = _second_objection(info, self._vmdk)
            if reason is None:
                return info
        raise InvalidImage(image_id=image.id, reason=reason)

    def _keep(self, image: ImageFacts, fetched: Path, info: ImageInfo, progress: Progress) -> CachedImage:
        fmt = "raw" if self._force_raw or info.format != "qcow2" else "qcow2"
        target = self._folder / f"{image.id}.{fmt}"
        ready = fetched
        if info.format != fmt:
            progress("converting the image to raw")
            ready = self._folder / f"{image.id}.converted{_PART}"
            try:
                self._tool.convert(fetched, info.format, ready, fmt)
            except BaseException:
                ready.unlink(missing_ok=True)
                raise
        ready.chmod(0o644)
        ready.rename(target)
        return CachedImage(path=target, format=fmt, virtual_size=info.virtual_size)

    def prune(self, in_use: Collection[str], minimum_age_s: float) -> tuple[str, ...]:
        """Delete images that no guest uses and that were not asked for in ``minimum_age_s`` seconds.

        ``in_use`` are image ids. Returns the names of the files deleted.
        """
        limit = time.time() - minimum_age_s
        deleted = []
        with self._lock:
            busy = set(self._running) | set(in_use)
            for path in sorted(self._folder.glob("*")):
                if path.name.split(".")[0] not in busy and path.stat().st_mtime < limit:
                    path.unlink()
                    deleted.append(path.name)
        return tuple(deleted)


def _judge_size(size: int, image: ImageFacts, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise ImageTooBig(image_id=image.id, reason=f"its disk of {size} bytes does not fit one of {limit}")


def _fitting(found: CachedImage, image: ImageFacts, limit: int | None) -> CachedImage:
    _judge_size(found.virtual_size, image, limit)
    return found


def _damage(image: ImageFacts, fetched: Path) -> str | None:
    """Compare with the hash Glance keeps; an algorithm this Python lacks cannot be compared."""
    algorithm, _, wanted = (image.checksum or "").partition(":")
    if algorithm not in hashlib.algorithms_available:
        return None
    with fetched.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    return None if found == wanted else f"its {algorithm} is {found}, Glance says {wanted}"


def _second_objection(info: ImageInfo, vmdk: Collection[str]) -> str | None:
    """What the format's own reader found, past the first header."""
    if info.backing_file:
        return "it has a backing file"
    if info.data_file:
        return "it has an external data file"
    if info.format == "vmdk" and info.vmdk_kind not in vmdk:
        return f"VMDK of kind {info.vmdk_kind} is not among [compute] vmdk_allowed_types"
    return None
