"""libvirt's capabilities documents, as far as this driver reads them."""

# ruff: noqa: D101, RUF009  # the classes are libvirt's elements, explained there; child() declares a field

from dataclasses import dataclass
from typing import ClassVar

from kilonova.hypervisor.libvirt.xml.tree import attribute, child, children, leaf, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    TAG: ClassVar[str] = "topology"
    sockets: int = attribute(1)
    cores: int = attribute(1)
    threads: int = attribute(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    TAG: ClassVar[str] = "feature"
    name: str = attribute()
    policy: str | None = attribute(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCpu:
    """Of the host, or as ``expand_cpu`` gives it back."""

    TAG: ClassVar[str] = "cpu"
    arch: str = leaf("")
    model: str | None = leaf()
    vendor: str | None = leaf()
    topology: Topology = child(Topology())
    features: tuple[Feature, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPart:
    TAG: ClassVar[str] = "host"
    uuid: str | None = leaf()
    cpu: HostCpu = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainKind:
    TAG: ClassVar[str] = "domain"
    type: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestArch:
    TAG: ClassVar[str] = "arch"
    name: str = attribute()
    domains: tuple[DomainKind, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestKind:
    TAG: ClassVar[str] = "guest"
    os_type: str = leaf("hvm")
    arch: GuestArch = child()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    TAG: ClassVar[str] = "capabilities"
    host: HostPart = child()
    guests: tuple[GuestKind, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValue:
    TAG: ClassVar[str] = "value"
    value: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    TAG: ClassVar[str] = "enum"
    name: str = attribute()
    values: tuple[EnumValue, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSupport:
    TAG: ClassVar[str] = "disk"
    enums: tuple[Enum, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSupport:
    TAG: ClassVar[str] = "video"
    enums: tuple[Enum, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSupport:
    TAG: ClassVar[str] = "devices"
    disk: DiskSupport = child(DiskSupport())
    video: VideoSupport = child(VideoSupport())


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    TAG: ClassVar[str] = "model"
    value: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuMode:
    """One of the CPU modes guests may have; ``host-model`` says which model that means here."""

    TAG: ClassVar[str] = "mode"
    name: str = attribute()
    supported: bool = attribute(default=False)
    model: ModelName | None = child()
    features: tuple[Feature, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuSupport:
    TAG: ClassVar[str] = "cpu"
    modes: tuple[CpuMode, ...] = children()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCapabilities:
    TAG: ClassVar[str] = "domainCapabilities"
    cpu: CpuSupport = child(CpuSupport())
    devices: DeviceSupport = child(DeviceSupport())
