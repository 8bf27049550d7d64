"""Bringing disks to another host: by ssh, as operators' compute hosts have it, or by a copy where storage is shared."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kilonova.hypervisor.contracts import HypervisorFailed

_SSH = ("ssh", "-o", "BatchMode=yes")


class Transport(Protocol):
    """How files get to a host. All raise HypervisorFailed with the program's own words; all may be repeated."""

    def folder(self, address: str, path: Path) -> None:
        """There is such a folder."""

    def has(self, address: str, path: Path) -> bool:
        """There is such a file."""

    def push(self, source: Path, address: str, target: Path) -> None:
        """Copy a file; holes stay holes where the program can do that."""

    def rename(self, address: str, source: Path, target: Path) -> None:
        """Within the host."""


def _run(command: Sequence[str], *, accept: Sequence[int] = (0,)) -> int:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        reason = f"the program {command[0]} is not installed"
        raise HypervisorFailed(call="move disks", host="this host", reason=reason) from error
    if done.returncode not in accept:
        reason = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
        raise HypervisorFailed(call="move disks", host="this host", reason=reason)
    return done.returncode


class LocalTransport:
    """The other host sees the same files, or is this one."""

    def folder(self, address: str, path: Path) -> None:
        del address
        path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def has(self, address: str, path: Path) -> bool:
        del address
        return path.exists()

    def push(self, source: Path, address: str, target: Path) -> None:
        del address
        _run(["cp", "--sparse=always", "--reflink=auto", "--preserve=mode", str(source), str(target)])

    def rename(self, address: str, source: Path, target: Path) -> None:
        del address
        source.rename(target)


class SshTransport:
    """``[libvirt] remote_filesystem_transport``: scp, or rsync over ssh. Keys and host keys are the operator's."""

    def __init__(self, *, rsync: bool) -> None:
        self._rsync = rsync

    def folder(self, address: str, path: Path) -> None:
        _run([*_SSH, address, "mkdir", "-p", str(path)])

    def has(self, address: str, path: Path) -> bool:
        return _run([*_SSH, address, "test", "-e", str(path)], accept=(0, 1)) == 0

    def push(self, source: Path, address: str, target: Path) -> None:
        where = f"[{address}]:{target}" if ":" in address else f"{address}:{target}"
        if self._rsync:
            _run(["rsync", "--sparse", "-e", " ".join(_SSH), str(source), where])
        else:
            _run(["scp", "-B", "-q", str(source), where])

    def rename(self, address: str, source: Path, target: Path) -> None:
        _run([*_SSH, address, "mv", str(source), str(target)])
