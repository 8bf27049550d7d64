"""A guest's root disk as an image.

A running or paused guest's disk is copied by QEMU itself (libvirt's backup in push mode): one point in time, the
guest goes on meanwhile. Where that does not exist, the guest is paused for the copy; QEMU flushes its disks when
it stops. A guest that is off is copied from its file.
"""

import contextlib
import shutil
from pathlib import Path
from uuid import UUID

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import HypervisorFailed, Progress
from kilonova.hypervisor.libvirt.builders.plan import DiskFile
from kilonova.hypervisor.libvirt.connection import BackupUnsupported, LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.xml import backup
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read, write

_LIVE = {PowerState.RUNNING, PowerState.PAUSED}


def staging(folder: Path, uuid: str) -> Path:
    """Where a guest's snapshots are put together. Raises ValueError for what is no UUID."""
    return folder / str(UUID(uuid))


class SnapshotTaker(Ground):
    """Implements ``contracts.Snapshots``."""

    def snapshot(self, uuid: str, image_id: str, progress: Progress) -> None:
        domain = self.need(uuid)
        folder = staging(self.options.snapshots, uuid) / str(UUID(image_id))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o711, parents=True)
        target = folder / "disk.qcow2"
        try:
            progress("copying the root disk")
            with self.locks.hold(uuid):
                self._copy(domain, uuid, target)
            progress("uploading the snapshot")
            self.images.upload(image_id, target, "qcow2")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # another snapshot of this guest is under way
                folder.parent.rmdir()

    def _copy(self, domain: LiveDomain, uuid: str, target: Path) -> None:
        root = self._root(uuid)
        state = domain.power()
        if state not in _LIVE:
            self._convert(root, target)
            return
        try:
            self._back_up(domain, target)
        except BackupUnsupported:
            self._copy_paused(domain, root, target, state)

    def _root(self, uuid: str) -> DiskFile:
        for disk in self.storage.folder(uuid).disks():
            if disk.role == "root":
                return disk
        raise HypervisorFailed(call="snapshot", host=self.options.host, reason="the root disk is missing")

    def _back_up(self, domain: LiveDomain, target: Path) -> None:
        disks = read(xml.Domain, domain.document()).devices.disks
        wanted = disks[0].target.dev
        plan = tuple(
            backup.BackupDisk(
                name=disk.target.dev,
                backup=disk.target.dev == wanted,
                type="file" if disk.target.dev == wanted else None,
                driver=backup.Format(type="qcow2") if disk.target.dev == wanted else None,
                target=backup.Target(file=str(target)) if disk.target.dev == wanted else None,
            )
            for disk in disks
            if disk.device == "disk"
        )
        domain.abort_job()  # one that a killed agent left behind: this one holds the guest's lock
        try:
            domain.back_up(write(backup.Backup(disks=backup.BackupDisks(items=plan))))
        except BaseException:
            domain.abort_job()
            raise
        if self.options.libvirt.snapshot_compression:
            plain = target.rename(target.with_suffix(".plain"))
            self.tool.convert(plain, "qcow2", target, "qcow2", compress=True)
            plain.unlink()

    def _copy_paused(self, domain: LiveDomain, root: DiskFile, target: Path, state: PowerState) -> None:
        if state is PowerState.RUNNING:
            domain.pause()
        try:
            self._convert(root, target)
        finally:
            if state is PowerState.RUNNING:
                domain.unpause()

    def _convert(self, root: DiskFile, target: Path) -> None:
        compress = self.options.libvirt.snapshot_compression
        self.tool.convert(root.path, root.format, target, "qcow2", compress=compress)
