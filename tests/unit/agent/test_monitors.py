from pathlib import Path

import pytest

from kilonova.agent.monitors import CPU, CpuMonitor, monitors_of


def test_shares_are_of_the_time_since_the_last_reading(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: x\ncpu MHz\t\t: 2400.5\n")
    monitor = CpuMonitor(tmp_path)
    (tmp_path / "stat").write_text("cpu  100 0 100 700 100 0 0 0\n")
    assert monitor.read()["cpu.percent"] == pytest.approx(0.2)
    (tmp_path / "stat").write_text("cpu  140 10 150 700 200 0 0 0\n")
    found = monitor.read()
    assert found["cpu.user.percent"] == found["cpu.kernel.percent"] == 0.25
    assert (found["cpu.iowait.percent"], found["cpu.idle.percent"], found["cpu.percent"]) == (0.5, 0, 0.5)
    assert found["cpu.frequency"] == 2400
    assert found["cpu.user.time"] > 10**9


def test_a_machine_may_keep_its_frequency_to_itself(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\n")
    (tmp_path / "stat").write_text("cpu  1 0 1 7 1 0 0 0\n")
    assert "cpu.frequency" not in CpuMonitor(tmp_path).read()


def test_only_known_monitors_are_read(caplog: pytest.LogCaptureFixture) -> None:
    assert monitors_of([]) == []
    assert len(monitors_of([CPU, "numa_mem_bw.virt_driver"])) == 1
    assert "numa_mem_bw" in caplog.text
