"""Background processes by pid file. A pid counts only with its start time and boot: pids are reused."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kilonova.kit import diagnosis
from kilonova.kit.errors import Unavailable

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START = 0, 19
"""Fields of /proc/PID/stat after the command's closing parenthesis (proc_pid_stat(5): fields 3 and 22)."""
_PAUSE = 0.02


class DidNotStart(Unavailable):
    """A process ended or did not become ready in time."""

    template = "{name} did not start: {reason}. Its log ({log}) ends with:\n{tail}"


class Processes:
    """Processes of one state directory: ``run/NAME.pid`` and ``log/NAME.log``."""

    def __init__(self, run: Path, logs: Path) -> None:
        self._run = run
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> int:
        """Start ``command`` detached, in its own session; one that runs already is left alone. Returns its pid.

        ``environ`` is added to this process's environment, less proxies and foreign OS_* logins.
        """
        there = self.running(name)
        if there is not None:
            return there
        self._run.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log, _uninterrupted():
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env={**_clean(os.environ), **(environ or {})},
                start_new_session=True,
            )
            self._children[name] = process
            self._pid_file(name).write_text(f"{process.pid} {_identity(process.pid)}\n")
        return process.pid

    def running(self, name: str) -> int | None:
        """Pid of the process, if it is still the one that was started under this name."""
        try:
            pid, _, identity = self._pid_file(name).read_text().strip().partition(" ")
        except FileNotFoundError:
            return None
        return int(pid) if pid.isdigit() and identity and _identity(int(pid)) == identity else None

    def stop(self, name: str, grace: float = 20.0) -> bool:
        """TERM, and KILL after ``grace`` seconds; tells whether there was anything to stop."""
        pid = self.running(name)
        if pid is not None:
            identity = _identity(pid)
            _signal(pid, signal.SIGTERM)
            if not _gone(pid, identity, grace):
                _signal(pid, signal.SIGKILL)
                _gone(pid, identity, grace)
        child = self._children.pop(name, None)
        if child is not None:
            # Takes leave of a child of ours (others are init's). Its first thread may be gone before the rest of it.
            with suppress(subprocess.TimeoutExpired):
                child.wait(grace)
        self._pid_file(name).unlink(missing_ok=True)
        return pid is not None

    def names(self) -> list[str]:
        """All that were started and not stopped, running or not."""
        return sorted(path.stem for path in self._run.glob("*.pid"))

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of its log."""
        try:
            with self.log(name).open("rb") as log:
                log.seek(max(0, self.log(name).stat().st_size - 65536))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def wait(self, name: str, ready: Callable[[], bool], seconds: float, *, explains: bool = False) -> None:
        """Wait until ``ready()``; raises DidNotStart as soon as the process is gone, or after ``seconds``.

        One that ``explains`` itself is then asked to log what its threads do (``kit.diagnosis``).
        """
        end = time.monotonic() + seconds
        while not ready():
            if self.running(name) is None:
                raise DidNotStart(name=name, reason="it ended", log=self.log(name), tail=self.tail(name))
            if time.monotonic() > end:
                reason, tail = f"not ready after {seconds:g} s", self.tail(name)
                if explains and (pid := self.running(name)) is not None:
                    _signal(pid, diagnosis.SIGNAL)
                    reason += "; the stacks of its threads are at the end of its log"
                raise DidNotStart(name=name, reason=reason, log=self.log(name), tail=tail)
            time.sleep(_PAUSE)

    def _pid_file(self, name: str) -> Path:
        return self._run / f"{name}.pid"


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C: a process that runs without its pid file would never be found again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


def _identity(pid: int) -> str | None:
    """What tells this process from a later one with its pid; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[_STATE] in "ZX" else f"{fields[_START]} {_BOOT.read_text().strip()}"


def _gone(pid: int, identity: str | None, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while _identity(pid) == identity:
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("OS_") and not name.lower().endswith("_proxy")
    }
