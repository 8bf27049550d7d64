import struct
from pathlib import Path

import pytest

from kilonova.hypervisor.libvirt.images.inspect import objection


def qcow2(version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    head = struct.pack(">4sIQ", b"QFI\xfb", version, backing).ljust(72, b"\0")
    return (head + struct.pack(">Q", features)).ljust(1024, b"\0")


MBR = bytes(446) + bytes([0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0]) + bytes(48) + b"\x55\xaa"
ISO = bytes(32 << 10) + b"\x01CD001\x01".ljust(2048, b"\0")


@pytest.mark.parametrize(
    ("claimed", "data"),
    [
        ("qcow2", qcow2()),
        ("qcow2", qcow2(version=2)),
        ("raw", bytes(512)),
        ("raw", MBR + bytes(512)),
        ("ami", bytes(512)),
        ("iso", ISO),
        ("iso", MBR + ISO[512:]),
        ("vhd", b""),
    ],
)
def test_an_honest_image_passes(tmp_path: Path, claimed: str, data: bytes) -> None:
    (tmp_path / "image").write_bytes(data)
    assert objection(claimed, tmp_path / "image") is None


@pytest.mark.parametrize(
    ("claimed", "data", "words"),
    [
        ("raw", qcow2(), "says raw, its data is qcow2"),
        ("iso", qcow2(), "says iso, its data is qcow2"),
        ("iso", qcow2() + ISO[1024:], "its data is iso and qcow2"),
        ("qcow2", qcow2() + ISO[1024:], "its data is iso and qcow2"),
        ("qcow2", bytes(512), "says qcow2, its data is raw"),
        ("vmdk", b"# Disk DescriptorFile\n", "says vmdk, its data is raw"),
        ("qcow2", qcow2(backing=512), "backing file"),
        ("qcow2", qcow2(version=2, backing=512), "backing file"),
        ("qcow2", qcow2(features=1 << 2), "data_file"),
        ("qcow2", qcow2(features=1 << 40), "Unknown QCOW2 features"),
        ("qcow2", qcow2(version=9), "Unsupported qcow2 version"),
        ("qcow2", qcow2()[:20], "its data is raw"),
        ("ploop", b"", "ploop is not supported"),
    ],
)
def test_a_dishonest_or_dangerous_one_does_not(tmp_path: Path, claimed: str, data: bytes, words: str) -> None:
    (tmp_path / "image").write_bytes(data)
    assert words in (objection(claimed, tmp_path / "image") or "")
