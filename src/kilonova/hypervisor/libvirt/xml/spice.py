"""What a SPICE screen may be told about its wire (libvirt's formatdomain, Graphical framebuffers)."""

# ruff: noqa: D101  # as in the document that these are parts of

from dataclasses import dataclass
from typing import ClassVar

from kilonova.hypervisor.libvirt.xml.tree import attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCompression:
    TAG: ClassVar[str] = "image"
    compression: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegCompression:
    TAG: ClassVar[str] = "jpeg"
    compression: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class ZlibCompression:
    TAG: ClassVar[str] = "zlib"
    compression: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackCompression:
    TAG: ClassVar[str] = "playback"
    compression: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    TAG: ClassVar[str] = "streaming"
    mode: str = attribute()
