"""libvirt's backup XML."""

# ruff: noqa: D101, RUF009  # the classes are libvirt's elements, explained there; child() declares a field

from dataclasses import dataclass
from typing import ClassVar

from kilonova.hypervisor.libvirt.xml.tree import attribute, child, children


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    TAG: ClassVar[str] = "driver"
    type: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    TAG: ClassVar[str] = "target"
    file: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupDisk:
    TAG: ClassVar[str] = "disk"
    name: str = attribute()
    backup: bool = attribute()
    type: str | None = attribute(None)
    target: Target | None = child()
    driver: Format | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupDisks:
    TAG: ClassVar[str] = "disks"
    items: tuple[BackupDisk, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """``push``: QEMU writes the copy itself."""

    TAG: ClassVar[str] = "domainbackup"
    mode: str = attribute("push")
    disks: BackupDisks = child()
