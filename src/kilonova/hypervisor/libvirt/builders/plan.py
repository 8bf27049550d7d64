"""What the builders are given: the guest as wanted, and the files that were made for it."""

from dataclasses import dataclass
from pathlib import Path

from kilonova.hypervisor.contracts import GuestSpec, ImageFacts
from kilonova.hypervisor.libvirt.options import DriverOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """One disk of the guest, in the order the guest sees them."""

    path: Path
    format: str
    """``qcow2`` or ``raw``."""
    role: str
    """``root``, ``ephemeral``, ``swap``, ``config`` or ``rescue``."""


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
    rescue: ImageFacts | None = None
    """What the guest is rescued from, if it is; its disk is among ``disks``."""
    serial_port: int | None = None
    """TCP port of the serial console, where that is offered."""

    @property
    def stable_rescue(self) -> bool:
        """Every disk stays where it is, and the rescue disk comes besides."""
        return self.rescue is not None and is_stable(self.rescue)

    def image_property(self, name: str, default: str) -> str:
        """A ``hw_…``/``os_…`` property of the image that is booted."""
        image = self.spec.image if self.rescue is None or self.stable_rescue else self.rescue
        return image.properties.get(name, default) if image else default

    @property
    def machine(self) -> str:
        return self.image_property("hw_machine_type", self.options.machine(self.arch))

    @property
    def is_i440fx(self) -> bool:
        """The machine has an IDE controller."""
        return self.machine == "pc" or self.machine.startswith("pc-i440fx")


def is_stable(rescue: ImageFacts) -> bool:
    """Whether a rescue image asks for stable device names."""
    return "hw_rescue_device" in rescue.properties or "hw_rescue_bus" in rescue.properties
