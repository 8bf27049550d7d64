"""Programs of the host: run one, and look after those with pid files."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from kilonova.lab.networks.errors import PlumbingFailed

_TIMEOUT = 20
_PATIENCE = 5.0


def run(*command: str, text: str | None = None) -> str:
    """Output of a program. Raises PlumbingFailed with what it said."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError:
        raise PlumbingFailed(reason=f"program '{command[0]}' is not installed") from None
    except subprocess.TimeoutExpired:
        raise PlumbingFailed(reason=f"'{' '.join(command)}' did not end within {_TIMEOUT} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:500]
        raise PlumbingFailed(reason=f"'{' '.join(command)}' said: {said}")
    return done.stdout


def running(pid_file: Path, mark: str) -> int | None:
    """The pid in the file, if that process is alive and has ``mark`` on its command line (a pid may be reused)."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ValueError):
        return None
    return pid if mark in command else None


def stop(pid_file: Path, mark: str) -> None:
    """End our process and forget its pid file."""
    pid = running(pid_file, mark)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while not ended(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not ended(pid):
            _signal(pid, signal.SIGKILL)
    pid_file.unlink(missing_ok=True)


def ended(pid: int) -> bool:
    """Is the process gone, or a zombie that holds neither files nor sockets any more?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state in ("Z", "X")


def reload(pid: int) -> None:
    """Tell a daemon to read its files again."""
    _signal(pid, signal.SIGHUP)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def write(path: Path, text: str) -> bool:
    """Write a file in one step if it differs; True when it did."""
    if path.exists() and path.read_text() == text:
        return False
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text)
    fresh.replace(path)
    return True
