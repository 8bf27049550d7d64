"""Images as an attacker makes them, with the real qemu-img, on their way into a compute host's cache."""

import subprocess
from pathlib import Path

import pytest

from kilonova.hypervisor.contracts import ImageFacts, InvalidImage
from kilonova.hypervisor.libvirt.images.cache import ImageCache, ImageTooBig
from kilonova.hypervisor.libvirt.images.tools import SystemTools

SECRET = "root:x:0:0 of the host"
MIB = 1 << 20


def make(folder: Path, fmt: str, *options: str, size: str = "4M") -> Path:
    target = folder / "crafted"
    subprocess.run(["qemu-img", "create", "-q", "-f", fmt, *options, str(target), size], check=True, cwd=folder)
    return target


def convert(folder: Path, fmt: str, *options: str) -> Path:
    target = folder / "crafted"
    (folder / "source.raw").write_bytes(b"\x07" * 4 * MIB)
    command = ["qemu-img", "convert", "-f", "raw", "-O", fmt, *options, "source.raw", str(target)]
    subprocess.run(command, check=True, cwd=folder)
    return target


class Source:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def download(self, image_id: str, target: Path) -> None:
        target.write_bytes(self.data)

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        raise NotImplementedError


def cached(folder: Path, claimed: str, image: Path, limit: int | None = None) -> bytes:
    """What a guest's disk would stand on."""
    tool = SystemTools("h", cpu_seconds=30, address_space_gib=1)
    cache = ImageCache(folder / "_base", Source(image.read_bytes()), tool, force_raw=True, vmdk=["monolithicSparse"])
    try:
        return cache.get(ImageFacts(id="i", disk_format=claimed, size=1), lambda _: None, limit=limit).path.read_bytes()
    except InvalidImage:
        assert list((folder / "_base").iterdir()) == []
        raise


@pytest.mark.parametrize("fmt", ["qcow2", "vmdk", "vdi", "vhdx", "vpc"])
def test_honest_images_of_all_formats_are_taken(tmp_path: Path, fmt: str) -> None:
    claimed = "vhd" if fmt == "vpc" else fmt
    assert cached(tmp_path, claimed, convert(tmp_path, fmt))[: 4 * MIB] == b"\x07" * 4 * MIB


@pytest.mark.parametrize(
    ("claimed", "fmt", "options", "words"),
    [
        ("qcow2", "qcow2", ("-b", "secret", "-F", "raw"), "backing file"),
        ("qcow2", "qcow2", ("-b", "secret", "-F", "raw", "-o", "compat=0.10"), "backing file"),
        ("qcow2", "qcow2", ("-o", "data_file=outside,data_file_raw=on"), "data_file"),
        ("raw", "qcow2", ("-b", "secret", "-F", "raw"), "says raw, its data is qcow2"),
        ("qcow2", "vmdk", (), "says qcow2, its data is vmdk"),
        ("vmdk", "qcow2", (), "says vmdk, its data is qcow2"),
        # A text; whether it is long enough to be known for a VMDK's depends on the length of its names.
        ("vmdk", "vmdk", ("-o", "subformat=monolithicFlat"), "its data is raw|Unsupported subformat"),
        ("vmdk", "vmdk", ("-o", "subformat=streamOptimized"), "vmdk_allowed_types"),
        ("qcow2", "qed", (), "its data is qed"),
        ("qcow2", "luks", ("--object", "secret,id=s,data=x", "-o", "key-secret=s,iter-time=10"), "its data is luks"),
    ],
)
def test_images_that_name_other_files_or_lie_are_refused(
    tmp_path: Path, claimed: str, fmt: str, options: tuple[str, ...], words: str
) -> None:
    (tmp_path / "secret").write_bytes(SECRET.encode().ljust(4 * MIB))
    with pytest.raises(InvalidImage, match=words):
        cached(tmp_path, claimed, make(tmp_path, fmt, *options))


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ('RW 8192 FLAT "/etc/passwd" 0', "Invalid extent"),
        ('RW 8192 SPARSE "../secret"', "Invalid extent"),
        ("parentFileNameHint = /etc/passwd", "Invalid VMDK descriptor"),
    ],
)
def test_a_vmdk_whose_descriptor_was_edited_is_refused(tmp_path: Path, extent: str, words: str) -> None:
    image = make(tmp_path, "vmdk", "-o", "subformat=monolithicSparse")
    data = bytearray(image.read_bytes())
    begin = data.index(b"RW ", 512)
    end = data.index(b"\n", begin)
    rest = data[end : data.index(b"\0", end)]
    text = extent.encode() + rest
    data[begin : begin + len(text)] = text
    image.write_bytes(data)
    with pytest.raises(InvalidImage, match=words):
        cached(tmp_path, "vmdk", image)


def test_a_descriptor_is_no_raw_disk(tmp_path: Path) -> None:
    image = make(tmp_path, "vmdk", "-o", "subformat=monolithicFlat")
    with image.open("ab") as file:
        file.write(b"# " + b"x" * 512 + b"\n")
    with pytest.raises(InvalidImage, match="says raw, its data is vmdk"):
        cached(tmp_path, "raw", image)


@pytest.mark.parametrize("size", ["64T", "1G"])
def test_a_small_file_with_a_huge_disk_is_refused_before_it_is_unpacked(tmp_path: Path, size: str) -> None:
    image = make(tmp_path, "qcow2", size=size)
    with pytest.raises(ImageTooBig, match="does not fit one of 1048576"):
        cached(tmp_path, "qcow2", image, MIB)
