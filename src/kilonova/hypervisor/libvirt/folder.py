"""A guest's own directory, ``<instances_path>/<uuid>``: what is in it and how it is made."""

import contextlib
import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kilonova.hypervisor.contracts import GuestMissing, GuestSpec, ImageFacts, InvalidImage, Progress
from kilonova.hypervisor.libvirt.builders.plan import DiskFile, is_stable
from kilonova.hypervisor.libvirt.images import config_drive
from kilonova.hypervisor.libvirt.images.cache import ImageCache
from kilonova.hypervisor.libvirt.images.tools import DiskTool
from kilonova.hypervisor.libvirt.options import DriverOptions

_GIB, _MIB = 1024**3, 1024**2


@dataclass(frozen=True, slots=True)
class GuestFolder:
    """Paths of one guest's files."""

    path: Path

    @property
    def root(self) -> Path:
        return self.path / "disk"

    def ephemeral(self, number: int) -> Path:
        return self.path / f"disk.eph{number}"

    @property
    def ephemerals(self) -> tuple[Path, ...]:
        """Those that exist, in the guest's order."""
        there = itertools.takewhile(Path.exists, map(self.ephemeral, itertools.count()))
        return tuple(there)

    @property
    def swap(self) -> Path:
        return self.path / "disk.swap"

    @property
    def config(self) -> Path:
        return self.path / "disk.config"

    @property
    def kernel(self) -> Path:
        return self.path / "kernel"

    @property
    def ramdisk(self) -> Path:
        return self.path / "ramdisk"

    @property
    def rescue(self) -> Path:
        return self.path / "disk.rescue"

    @property
    def rescue_kernel(self) -> Path:
        return self.path / "kernel.rescue"

    @property
    def rescue_ramdisk(self) -> Path:
        return self.path / "ramdisk.rescue"

    @property
    def console_log(self) -> Path:
        return self.path / "console.log"

    def disks(self, rescue: ImageFacts | None = None) -> tuple[DiskFile, ...]:
        """The disks that exist, in the guest's order: a rescue disk comes first, or last of the disks if stable."""
        found = []
        extra = [("ephemeral", path) for path in self.ephemerals]
        for role, path in (("root", self.root), *extra, ("swap", self.swap)):
            if path.exists():
                found.append(DiskFile(path=path, format=self.format(path), role=role))
        if rescue is not None:
            disk = DiskFile(path=self.rescue, format="raw", role="rescue")
            found.insert(len(found) if is_stable(rescue) else 0, disk)
        if self.config.exists():
            found.append(DiskFile(path=self.config, format="raw", role="config"))
        return tuple(found)

    def format(self, path: Path) -> str:
        """``qcow2`` or ``raw``. Only the root disk may be qcow2, and only by our own making.

        A guest could write a qcow2 header to a raw disk, so a root disk is qcow2 only if it was made so: the name
        of a raw one has a marker beside it.
        """
        return "qcow2" if path == self.root and not self.raw_marker.exists() else "raw"

    @property
    def raw_marker(self) -> Path:
        return self.path / "disk.is-raw"

    def backing_image(self, tool: DiskTool) -> str:
        """Id of the cached image that the root disk stands on; empty for none."""
        if not self.root.exists() or self.format(self.root) == "raw":
            return ""
        return Path(tool.info(self.root, "qcow2").backing_file or "").name.partition(".")[0]

    def end_rescue(self) -> None:
        """Remove the files of a rescue; missing is fine."""
        for path in (self.rescue, self.rescue_kernel, self.rescue_ramdisk):
            path.unlink(missing_ok=True)

    @property
    def owner_file(self) -> Path:
        return self.path / "owner"

    @property
    def owner_before(self) -> Path:
        """Who it belonged to before this host took it up."""
        return self.path / "owner.before"

    def owner(self) -> tuple[str, str] | None:
        """The host whose guest this is, and the move that brought it there (or nothing); None where nobody says."""
        try:
            host, _, token = self.owner_file.read_text().rstrip("\n").partition(" ")
        except FileNotFoundError:
            return None
        return host, token

    def own(self, host: str, token: str = "") -> None:
        """Say whose it is."""
        part = self.path / "owner.part"
        part.write_text(f"{host} {token}\n")
        part.rename(self.owner_file)

    def is_of(self, host: str) -> bool:
        """Nobody else's: on shared storage the guest may live on another host by now."""
        owner = self.owner()
        return owner is None or owner[0] == host

    def remove(self) -> None:
        """All of it; missing is fine."""
        shutil.rmtree(self.path, ignore_errors=False, onerror=_missing_is_fine)


def _missing_is_fine(_call: object, _path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


class Storage:
    """Makes guests' directories."""

    def __init__(self, options: DriverOptions, cache: ImageCache, tool: DiskTool) -> None:
        self._options = options
        self._cache = cache
        self._tool = tool

    def folder(self, uuid: str) -> GuestFolder:
        """Raises GuestMissing for what is no UUID, so that no other path can ever be meant."""
        try:
            return GuestFolder(self._options.instances / str(UUID(uuid)))
        except ValueError as error:
            raise GuestMissing(uuid=uuid) from error

    def aside(self, uuid: str) -> GuestFolder:
        """Where a guest's folder is while a move of it may still be reverted. Raises GuestMissing."""
        return GuestFolder(self.folder(uuid).path.with_name(f"{UUID(uuid)}_resize"))

    def asides(self) -> list[GuestFolder]:
        """All that are set aside here."""
        return [GuestFolder(path) for path in sorted(self._options.instances.glob("*-*-*-*-*_resize"))]

    def fit(self, folder: GuestFolder, spec: GuestSpec) -> None:
        """Make disks that came from elsewhere what ``spec`` wants; none gets smaller."""
        ephemerals = zip(folder.ephemerals, spec.ephemerals_gb, strict=False)
        for path, gib in ((folder.root, spec.root_gb), *ephemerals):
            fmt = folder.format(path)
            if path.exists() and gib * _GIB > self._tool.info(path, fmt).virtual_size:
                self._tool.grow(path, fmt, gib * _GIB)
        if not spec.swap_mb:
            folder.swap.unlink(missing_ok=True)
        self._extra(folder, spec)
        self.refresh_config_drive(folder, spec)

    def folders(self) -> list[GuestFolder]:
        """Of every guest that has one."""
        found = []
        for path in self._options.instances.glob("*-*-*-*-*"):
            with contextlib.suppress(GuestMissing):
                found.append(self.folder(path.name))
        return found

    def make(self, spec: GuestSpec, progress: Progress) -> GuestFolder:
        """All disks of a guest, from nothing. Raises InvalidImage, NotFound, HypervisorFailed."""
        folder = self.folder(spec.uuid)
        folder.remove()
        return self._fill(folder, spec, progress)

    def remake(self, spec: GuestSpec, *, keep_ephemeral: bool, progress: Progress) -> GuestFolder:
        """The disks of a guest that is off, anew; its log stays, and its ephemeral disks if that is wanted."""
        folder = self.folder(spec.uuid)
        old = [folder.root, folder.raw_marker, folder.swap, folder.kernel, folder.ramdisk]
        for path in old if keep_ephemeral else [*old, *folder.ephemerals]:
            path.unlink(missing_ok=True)
        folder.end_rescue()
        return self._fill(folder, spec, progress)

    def make_rescue(self, folder: GuestFolder, spec: GuestSpec, image: ImageFacts, progress: Progress) -> None:
        """The disk (and kernel) that a guest is rescued from: flat, so that nothing in the cache need outlive it."""
        cached = self._cache.get(image, progress, limit=_room(spec))
        progress("making the rescue disk")
        folder.end_rescue()
        self._tool.convert(cached.path, cached.format, folder.rescue, "raw")
        self._kernel(image.properties, folder.rescue_kernel, folder.rescue_ramdisk)

    def fetch(self, spec: GuestSpec, image: ImageFacts | None, progress: Progress) -> None:
        """Have an image at hand before anything is taken away for it. Raises InvalidImage."""
        if image is not None:
            self._cache.get(image, progress, limit=_room(spec))

    def _fill(self, folder: GuestFolder, spec: GuestSpec, progress: Progress) -> GuestFolder:
        folder.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.own(self._options.host)
        if not spec.boots_from_volume:
            self._root(folder, spec, progress)
        self._extra(folder, spec)
        self._kernel(spec.image.properties if spec.image else {}, folder.kernel, folder.ramdisk)
        self.refresh_config_drive(folder, spec)
        return folder

    def refresh_config_drive(self, folder: GuestFolder, spec: GuestSpec) -> None:
        """(Re)write the config drive, if the guest has one."""
        if spec.config_drive is not None:
            config_drive.write(spec.config_drive, folder.config)

    def _root(self, folder: GuestFolder, spec: GuestSpec, progress: Progress) -> None:
        flat = self._options.libvirt.images_type in {"raw", "flat"}
        if flat:
            folder.raw_marker.touch()
        if spec.image is None:
            self._tool.blank(folder.root, "raw" if flat else "qcow2", max(spec.root_gb, 1) * _GIB)
            return
        if 0 < spec.root_gb < spec.image.min_disk_gb:
            reason = f"it needs {spec.image.min_disk_gb} GiB, the root disk has {spec.root_gb}"
            raise InvalidImage(image_id=spec.image.id, reason=reason)
        cached = self._cache.get(spec.image, progress, limit=_room(spec))
        size = _room(spec) or cached.virtual_size
        progress("making the root disk")
        if flat:
            self._tool.convert(cached.path, cached.format, folder.root, "raw")
            self._tool.grow(folder.root, "raw", size)
        else:
            self._tool.overlay(folder.root, cached.path, cached.format, size)

    def _extra(self, folder: GuestFolder, spec: GuestSpec) -> None:
        kind = self._options.storage.default_ephemeral_format or "ext4"
        for number, gib in enumerate(spec.ephemerals_gb):
            path = folder.ephemeral(number)
            if not path.exists():
                self._tool.blank(path, "raw", gib * _GIB)
                self._tool.filesystem(path, kind, f"ephemeral{number}")
        if spec.swap_mb:
            self._tool.blank(folder.swap, "raw", spec.swap_mb * _MIB)
            self._tool.filesystem(folder.swap, "swap", "swap")

    def _kernel(self, properties: Mapping[str, str], kernel: Path, ramdisk: Path) -> None:
        for name, path in (("kernel_id", kernel), ("ramdisk_id", ramdisk)):
            if properties.get(name):
                shutil.copyfile(self._cache.blob(properties[name]), path)


def _room(spec: GuestSpec) -> int | None:
    """Bytes of the root disk; None where it is as big as its image."""
    return spec.root_gb * _GIB or None
