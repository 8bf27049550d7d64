import gzip
import lzma
from pathlib import Path

import pytest

from kilonova.cli.guest import kernel
from kilonova.cli.guest.kernel import Kernel

DEBIAN = """\
linux-image-cloud-amd64
  Depends: linux-image-6.1.0-56-cloud-amd64
linux-image-amd64
  Depends: linux-image-6.1.0-56-amd64
<linux-image-generic>
"""
UBUNTU = """\
linux-image-virtual
  Depends: linux-image-6.8.0-31-generic
linux-image-generic
  Depends: linux-image-6.8.0-31-generic
  Depends: linux-modules-extra-6.8.0-31-generic
  Depends: linux-firmware
"""


def module(needs: str = "", *, alias: str = "pci:v00001AF4d*", signed: bool = False) -> bytes:
    body = b"\x7fELF\0alias=%b\0depends=%b\0name=x\0" % (alias.encode(), needs.encode())
    if not signed:
        return body
    signature = b"s" * 300
    return body + signature + bytes(8) + len(signature).to_bytes(4, "big") + b"~Module signature appended~\n"


@pytest.fixture
def system(tmp_path: Path) -> Kernel:
    drivers = tmp_path / "lib/modules/6.1/kernel/drivers"
    drivers.mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1").touch()
    (drivers / "virtio_blk.ko").write_bytes(module("virtio_ring,virtio", signed=True))
    (drivers / "virtio.ko.xz").write_bytes(lzma.compress(module()))
    (drivers / "virtio-ring.ko.gz").write_bytes(gzip.compress(module("virtio")))
    (drivers / "other.ko").write_bytes(module())
    return Kernel(tmp_path, "6.1")


def test_modules_come_after_what_they_need_and_unsigned(system: Kernel) -> None:
    found = system.modules(["virtio-blk", "not_shipped", "virtio"])
    assert [m.name for m in found] == ["virtio", "virtio_ring", "virtio_blk"]
    assert found[2].content == module("virtio_ring,virtio")
    assert found[2].needs == ("virtio_ring", "virtio")
    assert found[0].aliases == ("pci:v00001AF4d*",)


def test_the_unpacked_kernel_is_found(system: Kernel, tmp_path: Path) -> None:
    found = kernel.unpacked(tmp_path)
    assert found == system
    assert found is not None
    assert found.image == tmp_path / "boot/vmlinuz-6.1"
    assert kernel.unpacked(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (DEBIAN, "linux-image-6.1.0-56-cloud-amd64"),
        (UBUNTU, "linux-image-6.8.0-31-generic"),
        ("<linux-image-generic>\n", None),
        ("", None),
    ],
)
def test_the_first_known_metapackage_leads_to_an_image(listing: str, expected: str | None) -> None:
    assert kernel.image_package(listing) == expected


def test_ubuntus_modules_are_a_package_of_their_own() -> None:
    listing = "linux-image-6.8.0-31-generic\n  Depends: kmod\n  Depends: linux-modules-6.8.0-31-generic\n"
    assert kernel.modules_package(listing) == "linux-modules-6.8.0-31-generic"
    assert kernel.modules_package("linux-image-6.1.0-56-cloud-amd64\n  Depends: kmod\n") is None
