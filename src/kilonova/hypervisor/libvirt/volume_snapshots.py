"""Snapshots of volumes that are files, as the volume service asks for them: qcow2 files on top of each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilonova.hypervisor.contracts import VolumeDisk
from kilonova.hypervisor.libvirt.builders.volumes import dev_of, source_of
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml import snapshot
from kilonova.hypervisor.libvirt.xml.backup import Format
from kilonova.hypervisor.libvirt.xml.tree import read, write
from kilonova.hypervisor.transitions import must_act
from kilonova.kit.errors import Unsupported


class NotAFile(Unsupported):
    """Only files have files on top of them."""

    template = "Volume {volume_id} is no file of this host, so the host makes no snapshots of it"


class VolumeSnapshotTaker(Ground):
    """Implements ``contracts.VolumeSnapshots``."""

    def snapshot_volume(self, uuid: str, volume: VolumeDisk, new_file: str) -> Mapping[str, Any]:
        with self.locks.hold(uuid):
            domain, path = self._running("snapshot_volume", uuid), self._path(volume)
            target = path.with_name(new_file)
            found = read(xml.Domain, domain.document())
            files = {d.target.dev: d.source.file for d in found.devices.disks if d.source is not None}
            if files.get(dev_of(volume)) != str(target):
                domain.divert(write(_diverted(found, dev_of(volume), target)))
        return {**volume.connection["data"], "device_path": str(target), "format": "qcow2"}

    def merge_volume(self, uuid: str, volume: VolumeDisk, top: str | None, into: str | None) -> Mapping[str, Any]:
        with self.locks.hold(uuid):
            domain, path = self._running("merge_volume", uuid), self._path(volume)
            above = str(path.with_name(top)) if top else None
            # What is no longer below the present file was merged by an earlier call.
            if above is None or into is None or f"'{above}'" in domain.document():
                domain.merge(dev_of(volume), above, str(path.with_name(into)) if into else None)
        return dict(volume.connection["data"])

    def _running(self, call: str, uuid: str) -> LiveDomain:
        domain = self.need(uuid)
        must_act(call, uuid, domain.power())
        return domain

    def _path(self, volume: VolumeDisk) -> Path:
        """Raises NotAFile."""
        source, _kind = source_of(self.options, volume)
        if source.file is None:
            raise NotAFile(volume_id=volume.volume_id)
        return Path(source.file)


def _diverted(found: xml.Domain, dev: str, target: Path) -> snapshot.Snapshot:
    wanted = snapshot.SnapshotDisk(
        name=dev,
        snapshot="external",
        type="file",
        driver=Format(type="qcow2"),
        source=xml.DiskSource(file=str(target)),
    )
    others = (d.target.dev for d in found.devices.disks if d.target.dev != dev)
    disks = (wanted, *(snapshot.SnapshotDisk(name=name) for name in others))
    return snapshot.Snapshot(disks=snapshot.SnapshotDisks(items=disks))
