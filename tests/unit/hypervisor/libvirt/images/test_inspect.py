import struct

import pytest

from kilonova.hypervisor.libvirt.images.inspect import detect, objection


def qcow2(version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    head = struct.pack(">4sIQ", b"QFI\xfb", version, backing).ljust(72, b"\0")
    return (head + struct.pack(">Q", features)).ljust(1024, b"\0")


@pytest.mark.parametrize(
    ("header", "fmt"),
    [
        (b"", "raw"),
        (b"\x55\xaa" * 256, "raw"),
        (qcow2(), "qcow2"),
        (b"KDMV".ljust(512, b"\0"), "vmdk"),
        (b"# Disk DescriptorFile\n", "vmdk"),
        (b"vhdxfile".ljust(512, b"\0"), "vhdx"),
        (b"conectix".ljust(512, b"\0"), "vpc"),
        (b"<<< QEMU".ljust(64, b" ") + struct.pack("<I", 0xBEDA107F), "vdi"),
    ],
)
def test_a_format_is_known_by_its_signature(header: bytes, fmt: str) -> None:
    assert detect(header) == fmt


@pytest.mark.parametrize(
    ("claimed", "header"),
    [("qcow2", qcow2()), ("qcow2", qcow2(version=2)), ("raw", b"\0" * 512), ("iso", b"\0" * 512), ("vhd", b"")],
)
def test_an_honest_image_passes(claimed: str, header: bytes) -> None:
    assert objection(claimed, header) is None


@pytest.mark.parametrize(
    ("claimed", "header", "words"),
    [
        ("raw", qcow2(), "says raw, its data is qcow2"),
        ("iso", qcow2(), "says iso, its data is qcow2"),
        ("qcow2", b"\0" * 512, "says qcow2, its data is raw"),
        ("qcow2", qcow2(backing=512), "backing file"),
        ("qcow2", qcow2(version=2, backing=512), "backing file"),
        ("qcow2", qcow2(features=1 << 2), "external data file"),
        ("qcow2", qcow2(version=9), "version 9"),
        ("qcow2", qcow2()[:20], "cut short"),
        ("ploop", b"", "ploop is not supported"),
    ],
)
def test_a_dishonest_or_dangerous_one_does_not(claimed: str, header: bytes, words: str) -> None:
    assert words in (objection(claimed, header) or "")
