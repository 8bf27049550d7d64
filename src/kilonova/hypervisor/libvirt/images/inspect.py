"""Looking at an image's first bytes before any tool opens it.

A qcow2 file can name other files: a backing file or an external data file. A tool that opens such an image opens those
files of the host too, so they are refused here, by the header alone (QEMU's ``docs/interop/qcow2``).
"""

import struct

HEADER_BYTES = 1024
_MAGIC = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"# Disk DescriptorFile": "vmdk",
    b"vhdxfile": "vhdx",
    b"conectix": "vpc",
    b"LUKS\xba\xbe": "luks",
    b"QED\x00": "qed",
}
_VDI_SIGNATURE_AT = 64
_VDI_SIGNATURE = struct.pack("<I", 0xBEDA107F)
_QCOW2_VERSIONS = (2, 3)
_QCOW2_DATA_FILE_BIT = 1 << 2
_QCOW2_FEATURES_AT = 72

DISK_FORMATS = {
    "raw": "raw",
    "iso": "raw",
    "ami": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vdi": "vdi",
    "vhd": "vpc",
    "vhdx": "vhdx",
}
"""Glance's disk_format → QEMU's format, for those this driver takes."""

SAFE_VMDK = ("monolithicSparse", "streamOptimized")
"""VMDK kinds that hold all data in the one file."""


def detect(header: bytes) -> str:
    """QEMU's name of the format whose signature the header has; ``raw`` when it has none."""
    for magic, name in _MAGIC.items():
        if header.startswith(magic):
            return name
    if header[_VDI_SIGNATURE_AT : _VDI_SIGNATURE_AT + 4] == _VDI_SIGNATURE:
        return "vdi"
    return "raw"


def objection(claimed: str, header: bytes) -> str | None:
    """Why an image of Glance's format ``claimed`` with this header cannot be used, or None.

    A dynamic VHD starts with a copy of its footer, a fixed one does not and looks raw; so ``vhd`` may look raw.
    """
    wanted = DISK_FORMATS.get(claimed)
    if wanted is None:
        return f"disk_format {claimed} is not supported on this host"
    found = detect(header)
    if found != wanted and not (wanted == "vpc" and found == "raw"):
        return f"its disk_format says {claimed}, its data is {found}"
    return _qcow2_objection(header) if found == "qcow2" else None


def _qcow2_objection(header: bytes) -> str | None:
    if len(header) < _QCOW2_FEATURES_AT:
        return "its qcow2 header is cut short"
    version, backing = struct.unpack_from(">IQ", header, 4)
    if version not in _QCOW2_VERSIONS:
        return f"qcow2 version {version} is unknown"
    if backing:
        return "it has a backing file"
    if version > _QCOW2_VERSIONS[0]:
        (features,) = struct.unpack_from(">Q", header.ljust(HEADER_BYTES, b"\0"), _QCOW2_FEATURES_AT)
        if features & _QCOW2_DATA_FILE_BIT:
            return "it has an external data file"
    return None
