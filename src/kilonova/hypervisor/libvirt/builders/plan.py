"""What the builders are given: the guest as wanted, and the files that were made for it."""

from dataclasses import dataclass
from pathlib import Path

from kilonova.hypervisor.contracts import GuestSpec
from kilonova.hypervisor.libvirt.options import DriverOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """One disk of the guest, in the order the guest sees them."""

    path: Path
    format: str
    """``qcow2`` or ``raw``."""
    role: str
    """``root``, ``ephemeral``, ``swap`` or ``config``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a domain document is made from; builders read nothing else."""

    spec: GuestSpec
    options: DriverOptions
    arch: str
    disks: tuple[DiskFile, ...]
    console_log: Path
    kernel: Path | None = None
    ramdisk: Path | None = None

    def image_property(self, name: str, default: str) -> str:
        """A ``hw_…``/``os_…`` property of the image."""
        image = self.spec.image
        return image.properties.get(name, default) if image else default

    @property
    def machine(self) -> str:
        return self.image_property("hw_machine_type", self.options.machine(self.arch))

    @property
    def is_i440fx(self) -> bool:
        """The machine has an IDE controller."""
        return self.machine == "pc" or self.machine.startswith("pc-i440fx")
