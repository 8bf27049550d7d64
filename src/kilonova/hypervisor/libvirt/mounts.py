"""Shares of guests on their host: mounted for one guest each, below the state directory."""

import os
import subprocess
from pathlib import Path
from typing import Protocol
from uuid import UUID

from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed

_SECONDS = 60


class Mounter(Protocol):
    """How file systems get to a directory. What is mounted, or not, already is fine."""

    def mount(self, export: str, target: Path) -> None:
        """Raises HypervisorFailed."""

    def unmount(self, target: Path) -> None:
        """Raises HypervisorFailed."""


class NfsMounter:
    """By the host's own tools."""

    def __init__(self, host: str) -> None:
        self._host = host

    def mount(self, export: str, target: Path) -> None:
        if not os.path.ismount(target):
            self._run("mount", "-t", "nfs", "-o", "nosuid,nodev", export, str(target))

    def unmount(self, target: Path) -> None:
        if os.path.ismount(target):
            self._run("umount", str(target))

    def _run(self, *command: str) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)  # no shell
        except (OSError, subprocess.SubprocessError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip()
            raise HypervisorFailed(call=command[0], host=self._host, reason=reason) from error


class Shares:
    """The mounted shares of all guests of this host."""

    def __init__(self, folder: Path, mounter: Mounter) -> None:
        self._folder = folder
        self._mounter = mounter

    def path(self, uuid: str, share_id: str) -> Path:
        return share_path(self._folder, uuid, share_id)

    def mount(self, spec: GuestSpec) -> None:
        """All shares of a guest that will start."""
        for share in spec.shares:
            target = self.path(spec.uuid, share.share_id)
            target.mkdir(parents=True, exist_ok=True)
            self._mounter.mount(share.export, target)

    def unmount(self, uuid: str) -> None:
        """All shares of a guest that is off; none is fine."""
        folder = self._folder / str(UUID(uuid))
        if not folder.is_dir():
            return
        for target in folder.iterdir():
            self._mounter.unmount(target)
            target.rmdir()
        folder.rmdir()


def share_path(folder: Path, uuid: str, share_id: str) -> Path:
    """Where a guest's share is mounted. Raises ValueError for what are no UUIDs."""
    return folder / str(UUID(uuid)) / str(UUID(share_id))
