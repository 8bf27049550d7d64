from pathlib import Path

import pytest

from kilonova.hypervisor.libvirt.consoles import MAX_LOG_BYTES, bound, tail


@pytest.mark.parametrize(("limit", "expected"), [(0, b""), (2, b"fg"), (4, b"defg"), (6, b"bcdefg"), (100, b"abcdefg")])
def test_the_tail_reaches_into_the_rotated_part(tmp_path: Path, limit: int, expected: bytes) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"efg")
    (tmp_path / "console.log.0").write_bytes(b"abcd")
    assert tail(log, limit) == expected


def test_a_guest_that_said_nothing_has_an_empty_log(tmp_path: Path) -> None:
    assert tail(tmp_path / "console.log", 10) == b""


def test_a_long_log_is_cut_in_place_and_its_end_kept(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("ab") as qemu:
        qemu.write(b"x" * MAX_LOG_BYTES + b"the end")
        qemu.flush()
        bound(log)
        qemu.write(b", and on")
    assert tail(log, 15) == b"the end, and on"
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < MAX_LOG_BYTES


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"short")
    bound(log)
    assert [p.name for p in tmp_path.iterdir()] == ["console.log"]
