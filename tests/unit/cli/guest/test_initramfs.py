import subprocess
from pathlib import Path

import pytest

from kilonova.cli.guest import initramfs
from kilonova.cli.guest.kernel import Module


def test_dependencies_name_everything_needed_nearest_first() -> None:
    modules = [
        Module("virtio", b"", (), ()),
        Module("virtio_ring", b"", ("virtio",), ()),
        Module("virtio_blk", b"", ("virtio_ring", "virtio"), ("virtio:d2v*",)),
    ]
    assert initramfs.dependencies(modules).decode().splitlines() == [
        "virtio.ko:",
        "virtio_ring.ko: virtio.ko",
        "virtio_blk.ko: virtio_ring.ko virtio.ko",
    ]
    assert initramfs.aliases(modules) == b"alias virtio:d2v* virtio_blk\n"


@pytest.mark.parametrize("name", [name for name in initramfs.SCRIPTS if name != "inittab"])
def test_scripts_ship_with_the_package_and_are_proper_shell(name: str, tmp_path: Path) -> None:
    script = tmp_path / name
    script.write_bytes(initramfs.scripts()[name])
    assert script.read_text().startswith("#!/bin/sh")
    subprocess.run(["sh", "-n", str(script)], check=True)
