"""Processor time of named processes and their descendants, from /proc."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def _table() -> tuple[dict[int, list[int]], dict[int, float]]:
    """Parent → children, and process → seconds so far (ended children that were waited for included)."""
    children: dict[int, list[int]] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        rest = text[text.rindex(")") + 2 :].split()
        children.setdefault(int(rest[1]), []).append(int(entry.name))
        precise = _precise(int(entry.name))
        seconds[int(entry.name)] = precise if precise is not None else (int(rest[11]) + int(rest[12])) / _TICK
    return children, seconds


def _precise(pid: int) -> float | None:
    """Nanosecond figures of the scheduler, summed over threads; stat counts in hundredths of a second."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return total / 1e9


def seconds_of(pids: Mapping[str, int]) -> dict[str, float]:
    """Name → seconds of processor time of the process with all below it."""
    children, seconds = _table()

    def below(pid: int) -> float:
        return seconds.get(pid, 0.0) + sum(below(child) for child in children.get(pid, ()))

    return {name: below(pid) for name, pid in pids.items()}


def busy_seconds() -> float:
    """All the machine's processors together since boot."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft = (int(word) for word in words[:7])
    return (user + nice + system + irq + soft) / _TICK


def memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Name → proportional set size, MiB, of the process with all below it."""
    children, _ = _table()

    def below(pid: int) -> int:
        own = 0
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    own = int(line.split()[1])
        except OSError:
            pass
        return own + sum(below(child) for child in children.get(pid, ()))

    return {name: round(below(pid) / 1024, 1) for name, pid in pids.items()}
