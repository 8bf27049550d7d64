import os
import subprocess
from pathlib import Path

import pytest

from kilonova.cli.guest.archive import Archive


def read(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Name → (mode, content), after the format's description in the kernel's buffer-format document."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = numbers[1], numbers[6], numbers[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        at = (at + 110 + length + 3) & ~3
        content = data[at : at + size]
        at = (at + size + 3) & ~3
        if name == "TRAILER!!!":
            assert at == len(data)
            return found
        assert name not in found
        found[name] = (mode, content)


def test_files_links_and_devices_come_after_their_folders() -> None:
    archive = Archive()
    archive.file("etc/acpi/x", b"12345", 0o755)
    archive.file("etc/passwd", b"root")
    archive.link("bin/sh", "busybox")
    archive.device("dev/console", 5, 1)
    found = read(archive.data())
    assert list(found) == ["etc", "etc/acpi", "etc/acpi/x", "etc/passwd", "bin", "bin/sh", "dev", "dev/console"]
    assert found["etc/acpi"] == (0o040755, b"")
    assert found["etc/acpi/x"] == (0o100755, b"12345")
    assert found["bin/sh"] == (0o120777, b"busybox")
    assert found["dev/console"][0] == 0o020600


def test_a_folder_is_written_once() -> None:
    archive = Archive()
    archive.folder("run")
    archive.folder("run")
    assert list(read(archive.data())) == ["run"]


@pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="busybox is not installed")
def test_cpio_itself_unpacks_it(tmp_path: Path) -> None:
    archive = Archive()
    archive.file("a/b", b"text")
    archive.link("a/c", "b")
    subprocess.run(["/bin/busybox", "cpio", "-id"], input=archive.data(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a/c").read_bytes() == b"text"
    assert os.access(tmp_path / "a", os.X_OK)
