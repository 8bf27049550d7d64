"""Volumes of the volume service as disks: reached by QEMU itself (Ceph) or as a file or block device of the host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilonova.hypervisor.contracts import VolumeDisk
from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.options import DriverOptions
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.kit.errors import Unsupported


class ConnectionUnsupported(Unsupported):
    """The host cannot reach volumes of this kind."""

    template = "Volume {volume_id} is offered over {kind}; this host attaches rbd and local volumes only"


class EncryptedVolume(Unsupported):
    """The volume would have to be decrypted here."""

    template = "Volume {volume_id} is encrypted; this host cannot decrypt volumes"


def volume_disk(plan: Plan, volume: VolumeDisk) -> xml.Disk:
    """The disk of a volume. Raises ConnectionUnsupported, EncryptedVolume."""
    data: Mapping[str, Any] = volume.connection.get("data") or {}
    if data.get("encrypted"):
        raise EncryptedVolume(volume_id=volume.volume_id)
    source, kind = source_of(plan.options, volume)
    cachemodes = dict(item.partition("=")[::2] for item in plan.options.libvirt.disk_cachemodes)
    discard = "unmap" if data.get("discard") else plan.options.libvirt.hw_disk_discard
    driver = xml.DiskDriver(type=data.get("format") or "raw", cache=cachemodes.get(kind), discard=discard)
    return xml.Disk(
        type=kind,
        device="cdrom" if volume.device_type == "cdrom" else "disk",
        driver=driver,
        source=source,
        target=xml.DiskTarget(dev=dev_of(volume), bus=volume.bus or plan.image_property("hw_disk_bus", "virtio")),
        readonly=data.get("access_mode") == "ro" or volume.device_type == "cdrom",
        shareable=volume.multiattach,
        serial=volume.volume_id,
    )


def dev_of(volume: VolumeDisk) -> str:
    """``vdb``."""
    return volume.device_name.removeprefix("/dev/")


def source_of(options: DriverOptions, volume: VolumeDisk) -> tuple[xml.DiskSource, str]:
    """Where the volume is, and the type of a disk there. Raises ConnectionUnsupported."""
    kind, data = volume.connection.get("driver_volume_type"), volume.connection.get("data") or {}
    if kind == "rbd":
        return _rbd(options, data), "network"
    if kind == "local":
        path = Path(str(data["device_path"]))
        if path.is_block_device():
            return xml.DiskSource(dev=str(path)), "block"
        return xml.DiskSource(file=str(path)), "file"
    raise ConnectionUnsupported(volume_id=volume.volume_id, kind=kind)


def _rbd(options: DriverOptions, data: Mapping[str, Any]) -> xml.DiskSource:
    """Cinder's credentials, or those of ``[libvirt] rbd_user`` and ``rbd_secret_uuid`` where it names no secret."""
    own = options.libvirt
    secret = data.get("secret_uuid") or own.rbd_secret_uuid
    user = data.get("auth_username") if data.get("secret_uuid") else own.rbd_user or data.get("auth_username")
    auth = None
    if data.get("auth_enabled") and secret and user:
        auth = xml.DiskAuth(username=user, secret=xml.DiskSecret(type="ceph", uuid=secret))
    hosts = tuple(
        xml.SourceHost(name=name.strip("[]"), port=str(port))
        for name, port in zip(data.get("hosts") or (), data.get("ports") or (), strict=True)
    )
    return xml.DiskSource(protocol="rbd", name=data["name"], hosts=hosts, auth=auth)
