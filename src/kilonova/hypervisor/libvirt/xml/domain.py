"""libvirt's domain XML, as far as this driver writes and reads it.

Element and attribute names are libvirt's (its "Domain XML format" page); classes are named after the elements.
"""

# ruff: noqa: D101, RUF009  # the classes are libvirt's elements, explained there; child() declares a field

from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree as ET

from kilonova.hypervisor.libvirt.xml import spice
from kilonova.hypervisor.libvirt.xml.tree import attribute, child, children, flag, leaf, text

NAMESPACE = "urn:kilonova:guest:1"
"""Of our part of ``<metadata>``; a domain without it was not made by this service."""


ET.register_namespace("kilonova", NAMESPACE)


def _ours(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    TAG: ClassVar[str] = _ours("owner")
    project: str = attribute()
    user: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorNote:
    TAG: ClassVar[str] = _ours("flavor")
    name: str = attribute()
    vcpus: int = attribute()
    memory_mb: int = attribute()
    root_gb: int = attribute()
    ephemeral_gb: int = attribute()
    swap_mb: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNote:
    TAG: ClassVar[str] = _ours("image")
    id: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestNote:
    """What we write about a guest into its domain, to know it again after a restart."""

    TAG: ClassVar[str] = _ours("guest")
    uuid: str = attribute()
    display_name: str = attribute(name="name")
    owner: Owner = child()
    flavor: FlavorNote = child()
    image: ImageNote | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    TAG: ClassVar[str] = "metadata"
    guest: GuestNote | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    TAG: ClassVar[str] = "memory"
    unit: str = attribute("KiB")
    value: int = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    TAG: ClassVar[str] = "entry"
    name: str = attribute()
    value: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    TAG: ClassVar[str] = "system"
    entries: tuple[Entry, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class SysInfo:
    TAG: ClassVar[str] = "sysinfo"
    type: str = attribute("smbios")
    system: System = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class OsType:
    TAG: ClassVar[str] = "type"
    arch: str | None = attribute(None)
    machine: str | None = attribute(None)
    value: str = text("hvm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    TAG: ClassVar[str] = "boot"
    dev: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Smbios:
    TAG: ClassVar[str] = "smbios"
    mode: str = attribute("sysinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Os:
    TAG: ClassVar[str] = "os"
    firmware: str | None = attribute(None)
    type: OsType = child()
    kernel: str | None = leaf()
    initrd: str | None = leaf()
    cmdline: str | None = leaf()
    boot: Boot | None = child()
    smbios: Smbios | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class TbCache:
    TAG: ClassVar[str] = "tb-cache"
    unit: str = attribute("MiB")
    value: int = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcg:
    TAG: ClassVar[str] = "tcg"
    tb_cache: TbCache = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    TAG: ClassVar[str] = "features"
    acpi: bool = flag()
    apic: bool = flag()
    tcg: Tcg | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuModel:
    TAG: ClassVar[str] = "model"
    fallback: str | None = attribute(None)
    value: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTopology:
    TAG: ClassVar[str] = "topology"
    sockets: int = attribute()
    cores: int = attribute()
    threads: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuFeature:
    TAG: ClassVar[str] = "feature"
    policy: str | None = attribute(None)
    name: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    TAG: ClassVar[str] = "cpu"
    mode: str | None = attribute(None)
    match: str | None = attribute(None)
    model: CpuModel | None = child()
    topology: CpuTopology | None = child()
    features: tuple[CpuFeature, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTune:
    TAG: ClassVar[str] = "cputune"
    shares: int | None = leaf()
    period: int | None = leaf()
    quota: int | None = leaf()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    TAG: ClassVar[str] = "timer"
    name: str = attribute()
    tickpolicy: str | None = attribute(None)
    present: bool | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    TAG: ClassVar[str] = "clock"
    offset: str = attribute()
    timers: tuple[Timer, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDriver:
    TAG: ClassVar[str] = "driver"
    name: str = attribute("qemu")
    type: str = attribute()
    cache: str | None = attribute(None)
    discard: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHost:
    TAG: ClassVar[str] = "host"
    name: str = attribute()
    port: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSecret:
    TAG: ClassVar[str] = "secret"
    type: str = attribute()
    uuid: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAuth:
    TAG: ClassVar[str] = "auth"
    username: str = attribute()
    secret: DiskSecret = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSource:
    TAG: ClassVar[str] = "source"
    file: str | None = attribute(None)
    dev: str | None = attribute(None)
    protocol: str | None = attribute(None)
    name: str | None = attribute(None)
    hosts: tuple[SourceHost, ...] = children()
    auth: DiskAuth | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTarget:
    TAG: ClassVar[str] = "target"
    dev: str = attribute()
    bus: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOrder:
    TAG: ClassVar[str] = "boot"
    order: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    TAG: ClassVar[str] = "disk"
    type: str = attribute("file")
    device: str = attribute("disk")
    driver: DiskDriver | None = child()
    source: DiskSource | None = child()
    target: DiskTarget = child()
    readonly: bool = flag()
    shareable: bool = flag()
    serial: str | None = leaf()
    boot: BootOrder | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTarget:
    """Where a running disk is copied to (virDomainBlockCopy)."""

    TAG: ClassVar[str] = "disk"
    type: str = attribute()
    source: DiskSource = child()
    driver: DiskDriver | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    TAG: ClassVar[str] = "controller"
    type: str = attribute()
    index: int | None = attribute(None)
    model: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac:
    TAG: ClassVar[str] = "mac"
    address: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSource:
    TAG: ClassVar[str] = "source"
    bridge: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualPortParameters:
    TAG: ClassVar[str] = "parameters"
    interface_id: str | None = attribute(None, name="interfaceid")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualPort:
    TAG: ClassVar[str] = "virtualport"
    type: str | None = attribute(None)
    parameters: VirtualPortParameters | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class NicTarget:
    TAG: ClassVar[str] = "target"
    dev: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class NicModel:
    TAG: ClassVar[str] = "model"
    type: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class NicDriver:
    TAG: ClassVar[str] = "driver"
    queues: int | None = attribute(None)
    rx_queue_size: int | None = attribute(None)
    tx_queue_size: int | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mtu:
    TAG: ClassVar[str] = "mtu"
    size: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    TAG: ClassVar[str] = "interface"
    type: str = attribute()
    mac: Mac | None = child()
    source: NicSource | None = child()
    virtualport: VirtualPort | None = child()
    target: NicTarget | None = child()
    model: NicModel | None = child()
    driver: NicDriver | None = child()
    mtu: Mtu | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    TAG: ClassVar[str] = "log"
    file: str = attribute()
    append: str = attribute("on")
    """``on`` or ``off``, in libvirt's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTarget:
    TAG: ClassVar[str] = "target"
    type: str | None = attribute(None)
    port: int | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSource:
    TAG: ClassVar[str] = "source"
    mode: str | None = attribute(None)
    host: str | None = attribute(None)
    service: int | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    TAG: ClassVar[str] = "protocol"
    type: str = attribute("raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTarget:
    TAG: ClassVar[str] = "target"
    type: str = attribute("virtio")
    name: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    TAG: ClassVar[str] = "channel"
    type: str = attribute()
    target: ChannelTarget | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    TAG: ClassVar[str] = "serial"
    type: str = attribute("pty")
    source: SerialSource | None = child()
    protocol: Protocol | None = child()
    log: LogFile | None = child()
    target: PortTarget | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    TAG: ClassVar[str] = "input"
    type: str = attribute()
    bus: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    TAG: ClassVar[str] = "listen"
    type: str = attribute("address")
    address: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphics:
    TAG: ClassVar[str] = "graphics"
    type: str = attribute()
    port: int | None = attribute(None)
    tls_port: int | None = attribute(None, name="tlsPort")
    autoport: bool | None = attribute(None)
    default_mode: str | None = attribute(None, name="defaultMode")
    listen: Listen | None = child()
    image: spice.ImageCompression | None = child()
    jpeg: spice.JpegCompression | None = child()
    zlib: spice.ZlibCompression | None = child()
    playback: spice.PlaybackCompression | None = child()
    streaming: spice.Streaming | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    TAG: ClassVar[str] = "model"
    type: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    TAG: ClassVar[str] = "video"
    model: VideoModel = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    TAG: ClassVar[str] = "stats"
    period: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balloon:
    TAG: ClassVar[str] = "memballoon"
    model: str = attribute()
    stats: Stats | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class RngRate:
    TAG: ClassVar[str] = "rate"
    bytes: int = attribute()
    period: int = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class RngBackend:
    TAG: ClassVar[str] = "backend"
    model: str = attribute("random")
    path: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rng:
    TAG: ClassVar[str] = "rng"
    model: str = attribute("virtio")
    rate: RngRate | None = child()
    backend: RngBackend = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemDriver:
    TAG: ClassVar[str] = "driver"
    type: str = attribute("virtiofs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    TAG: ClassVar[str] = "source"
    dir: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class MountTag:
    TAG: ClassVar[str] = "target"
    dir: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """A directory of the host that the guest mounts by its tag."""

    TAG: ClassVar[str] = "filesystem"
    type: str = attribute("mount")
    accessmode: str = attribute("passthrough")
    driver: FilesystemDriver = child(FilesystemDriver())
    source: Directory = child()
    target: MountTag = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySource:
    TAG: ClassVar[str] = "source"
    type: str = attribute("memfd")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAccess:
    TAG: ClassVar[str] = "access"
    mode: str = attribute("shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBacking:
    TAG: ClassVar[str] = "memoryBacking"
    source: MemorySource = child(MemorySource())
    access: MemoryAccess = child(MemoryAccess())


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    TAG: ClassVar[str] = "devices"
    disks: tuple[Disk, ...] = children()
    controllers: tuple[Controller, ...] = children()
    filesystems: tuple[Filesystem, ...] = children()
    interfaces: tuple[Interface, ...] = children()
    serials: tuple[Serial, ...] = children()
    channels: tuple[Channel, ...] = children()
    inputs: tuple[Input, ...] = children()
    graphics: tuple[Graphics, ...] = children()
    videos: tuple[Video, ...] = children()
    balloon: Balloon | None = child()
    rng: Rng | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Only our note of a domain: read from strangers' domains too, whatever else is in them."""

    TAG: ClassVar[str] = "domain"
    metadata: Metadata | None = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A whole guest. Fields left None are absent from the document."""

    TAG: ClassVar[str] = "domain"
    type: str = attribute()
    name: str | None = leaf()
    uuid: str | None = leaf()
    metadata: Metadata | None = child()
    memory: Memory | None = child()
    memory_backing: MemoryBacking | None = child()
    vcpu: int | None = leaf()
    cputune: CpuTune | None = child()
    sysinfo: SysInfo | None = child()
    os: Os | None = child()
    features: Features | None = child()
    cpu: Cpu | None = child()
    clock: Clock | None = child()
    on_poweroff: str | None = leaf()
    on_reboot: str | None = leaf()
    on_crash: str | None = leaf()
    devices: Devices = child(Devices())
