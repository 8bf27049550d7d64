"""What a host measures of itself (``[DEFAULT] compute_monitors``), for MetricsFilter, MetricsWeigher and listeners."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

LOG = logging.getLogger(__name__)
CPU = "cpu.virt_driver"
_NANOSECONDS = 10**9


class CpuMonitor:
    """Nanoseconds that the CPUs spent since the machine was started, and shares (0 to 1) since the last reading."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._before = dict.fromkeys(("user", "kernel", "idle", "iowait"), 0)

    def read(self) -> dict[str, float]:
        """``cpu.user.time``, ``cpu.user.percent``, …, ``cpu.percent``, and ``cpu.frequency`` in MHz where known."""
        ticks = os.sysconf("SC_CLK_TCK")
        line = (self._proc / "stat").read_text().splitlines()[0]
        user, nice, system, idle, iowait = (int(text) * _NANOSECONDS // ticks for text in line.split()[1:6])
        now = {"user": user + nice, "kernel": system, "idle": idle, "iowait": iowait}
        spent = {name: max(0, value - self._before[name]) for name, value in now.items()}
        self._before, total = now, max(1, sum(spent.values()))
        found: dict[str, float] = {f"cpu.{name}.time": value for name, value in now.items()}
        found |= {f"cpu.{name}.percent": value / total for name, value in spent.items()}
        found["cpu.percent"] = 1 - (spent["idle"] + spent["iowait"]) / total
        return found | self._frequency()

    def _frequency(self) -> dict[str, float]:
        for line in (self._proc / "cpuinfo").read_text().splitlines():
            if line.startswith("cpu MHz"):
                return {"cpu.frequency": int(float(line.partition(":")[2]))}
        return {}


def monitors_of(names: Sequence[str]) -> list[CpuMonitor]:
    """The monitors that are known; of others a warning."""
    for name in names:
        if name != CPU:
            LOG.warning("compute_monitors: there is no monitor named %s, only %s", name, CPU)
    return [CpuMonitor()] if CPU in names else []
