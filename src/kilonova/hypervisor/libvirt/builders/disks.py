"""Disks and the config drive's CD."""

from collections.abc import Iterable
from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import DiskFile, Plan
from kilonova.hypervisor.libvirt.builders.volumes import dev_of, volume_disk
from kilonova.hypervisor.libvirt.xml import domain as xml

_PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}


class _Names:
    """Hands out device names, counting on per prefix."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._next: dict[str, int] = {}
        self._taken = frozenset(taken)
        """By volumes, whose names are known to users."""

    def take(self, bus: str) -> str:
        prefix = _PREFIX.get(bus, "vd")
        number = self._next.get(prefix, 0)
        self._next[prefix] = number + 1
        name = f"{prefix}{chr(ord('a') + number)}"
        return self.take(bus) if name in self._taken else name


def _cdrom_bus(plan: Plan) -> str:
    """IDE where the machine has it: every kernel sees that. Elsewhere virtio-scsi: small kernels lack AHCI."""
    return plan.image_property("hw_cdrom_bus", "ide" if plan.is_i440fx else "scsi")


def _disk(plan: Plan, file: DiskFile, bus: str, dev: str) -> xml.Disk:
    cachemodes = dict(item.partition("=")[::2] for item in plan.options.libvirt.disk_cachemodes)
    discard = plan.options.libvirt.hw_disk_discard
    source = xml.DiskSource(file=str(file.path))
    target = xml.DiskTarget(dev=dev, bus=bus)
    if file.role == "config":
        driver = xml.DiskDriver(type="raw", cache=cachemodes.get("file"))
        return xml.Disk(device="cdrom", driver=driver, source=source, target=target, readonly=True)
    if file.role == "rescue":
        return _rescue_disk(plan, xml.DiskDriver(type=file.format, cache=cachemodes.get("file")), source, target)
    driver = xml.DiskDriver(type=file.format, cache=cachemodes.get("file"), discard=discard)
    serial = plan.spec.uuid.replace("-", "")[:20] if file.role == "root" and bus == "virtio" else None
    return xml.Disk(driver=driver, source=source, target=target, serial=serial)


def _rescue_disk(plan: Plan, driver: xml.DiskDriver, source: xml.DiskSource, target: xml.DiskTarget) -> xml.Disk:
    device = plan.rescue.properties.get("hw_rescue_device", "disk") if plan.rescue else "disk"
    order = xml.BootOrder(order=1) if plan.stable_rescue else None
    readonly = device == "cdrom"
    return xml.Disk(device=device, driver=driver, source=source, target=target, readonly=readonly, boot=order)


def _bus(plan: Plan, file: DiskFile, usual: str) -> str:
    if file.role == "config":
        return _cdrom_bus(plan)
    if file.role == "rescue" and plan.rescue:
        by_device = {"cdrom": _cdrom_bus(plan), "floppy": "fdc"}
        device = plan.rescue.properties.get("hw_rescue_device", "disk")
        return plan.rescue.properties.get("hw_rescue_bus", by_device.get(device, usual))
    return usual


def disks(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """In the plan's order: the root disk is the first on its bus; volumes come behind, unless one is the root disk."""
    names = _Names(dev_of(volume) for volume in plan.spec.volumes)
    wanted = plan.image_property("hw_disk_bus", "virtio")
    made = []
    for file in plan.disks:
        bus = _bus(plan, file, wanted)
        made.append(_disk(plan, file, bus, names.take(bus)))
    volumes = sorted(plan.spec.volumes, key=lambda volume: volume.boot_index != 0)
    attached = [volume_disk(plan, volume) for volume in volumes]
    made = [*attached[:1], *made, *attached[1:]] if plan.spec.boots_from_volume else [*made, *attached]
    controllers = domain.devices.controllers
    if any(disk.target.bus == "scsi" for disk in made):
        controllers = (*controllers, xml.Controller(type="scsi", index=0, model="virtio-scsi"))
    return replace(domain, devices=replace(domain.devices, disks=tuple(made), controllers=controllers))
