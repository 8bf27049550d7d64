import time
from pathlib import Path

import pytest

from kilonova.hypervisor.libvirt.facts import compute_id, memory_used_mb, uptime


def test_the_nodes_uuid_is_made_once(tmp_path: Path) -> None:
    first = compute_id(tmp_path / "state")
    assert compute_id(tmp_path / "state") == first
    assert compute_id(tmp_path / "other") != first


def test_a_spoilt_compute_id_is_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "compute_id").write_text("nonsense")
    with pytest.raises(ValueError, match="hexadecimal"):
        compute_id(tmp_path)


def test_used_memory_is_what_is_not_available() -> None:
    text = "MemTotal:       8192 kB\nMemFree:  10 kB\nMemAvailable:   3072 kB\nHugePages_Total:       0\n"
    assert memory_used_mb(text) == 5


@pytest.mark.parametrize(
    ("seconds", "up"),
    [("59.5 1", "0:00"), ("3700.0 1", "1:01"), ("90000 1", "1 day, 1:00"), ("180000 1", "2 days, 2:00")],
)
def test_uptime_reads_like_the_program(seconds: str, up: str) -> None:
    at = time.strptime("08:32:11", "%H:%M:%S")
    assert uptime(at, seconds, (0.2, 0.12, 0.1)) == f" 08:32:11 up {up},  0 users,  load average: 0.20, 0.12, 0.10"
