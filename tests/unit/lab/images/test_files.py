import errno
import hashlib
import io
import struct
from pathlib import Path

import pytest

from kilonova.lab.images.files import CHUNK, DataMissing, ImageFiles, Incomplete, NoSpace


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    return ImageFiles(tmp_path / "images")


def left_over(tmp_path: Path) -> list[str]:
    return sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())


def test_data_comes_back_with_its_sums(files: ImageFiles) -> None:
    data = bytes(range(256)) * (CHUNK // 128)
    stored = files.write("i", io.BytesIO(data), len(data), "raw")
    assert stored.size == stored.virtual_size == len(data)
    assert stored.checksum == hashlib.md5(data).hexdigest()
    assert stored.os_hash_value == hashlib.sha512(data).hexdigest()
    assert b"".join(files.read("i", 0, stored.size)) == data
    assert b"".join(files.read("i", 300, 10)) == data[300:310]


def test_the_body_is_never_read_whole(files: ImageFiles) -> None:
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    files.write("i", Watched(b"x" * (3 * CHUNK)), None, "raw")
    assert set(sizes) == {CHUNK}
    assert max(len(piece) for piece in files.read("i", 0, 3 * CHUNK)) == CHUNK


def test_qcow2_says_its_virtual_size(files: ImageFiles) -> None:
    header = b"QFI\xfb" + struct.pack(">IQIIQ", 3, 0, 0, 16, 10 << 30)
    assert files.write("i", io.BytesIO(header + b"rest"), None, "qcow2").virtual_size == 10 << 30


@pytest.mark.parametrize(("data", "disk_format"), [(b"QFI\xfb", "qcow2"), (b"raw", "qcow2"), (b"KDMV", "vmdk")])
def test_an_unknown_virtual_size_is_none(files: ImageFiles, data: bytes, disk_format: str) -> None:
    assert files.write("i", io.BytesIO(data), None, disk_format).virtual_size is None


def test_a_short_body_leaves_nothing(files: ImageFiles, tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="after 3 bytes; 5 were announced"):
        files.write("i", io.BytesIO(b"abc"), 5, "raw")
    assert left_over(tmp_path) == []


def test_a_full_disk_leaves_nothing(files: ImageFiles, tmp_path: Path) -> None:
    class Full:
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NoSpace):
        files.write("i", Full(), None, "raw")
    assert left_over(tmp_path) == []


def test_parts_of_an_earlier_process_are_cleared(files: ImageFiles, tmp_path: Path) -> None:
    (tmp_path / "images" / ".incoming" / "old").write_bytes(b"half")
    files.write("i", io.BytesIO(b"x"), 1, "raw")
    files.clear_incoming()
    assert left_over(tmp_path) == ["images/i"]


def test_removing_is_idempotent_and_missing_data_is_said(files: ImageFiles) -> None:
    files.write("i", io.BytesIO(b"x"), 1, "raw")
    files.remove("i")
    files.remove("i")
    with pytest.raises(DataMissing, match="image i"):
        files.read("i", 0, 1)
