"""libvirt's snapshot XML."""

# ruff: noqa: D101, RUF009  # the classes are libvirt's elements, explained there; child() declares a field

from dataclasses import dataclass
from typing import ClassVar

from kilonova.hypervisor.libvirt.xml.backup import Format
from kilonova.hypervisor.libvirt.xml.domain import DiskSource
from kilonova.hypervisor.libvirt.xml.tree import attribute, child, children


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDisk:
    """``external``: writes go to ``source`` from then on; ``no``: the disk stays as it is."""

    TAG: ClassVar[str] = "disk"
    name: str = attribute()
    snapshot: str = attribute("no")
    type: str | None = attribute(None)
    driver: Format | None = child()
    source: DiskSource | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDisks:
    TAG: ClassVar[str] = "disks"
    items: tuple[SnapshotDisk, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    TAG: ClassVar[str] = "domainsnapshot"
    disks: SnapshotDisks = child()
