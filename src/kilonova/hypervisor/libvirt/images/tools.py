"""The programs that make and read disk images, as one small interface."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from kilonova.hypervisor.contracts import HypervisorFailed

_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What an image says about itself."""

    format: str
    virtual_size: int
    """Bytes."""
    backing_file: str | None = None
    data_file: str | None = None
    vmdk_kind: str | None = None


class DiskTool(Protocol):
    """Making and reading disk images; all raise HypervisorFailed with the program's own words."""

    def info(self, path: Path, fmt: str) -> ImageInfo:
        """Read the header as ``fmt``; backing files are not opened."""

    def convert(self, source: Path, fmt: str, target: Path, to: str, *, compress: bool = False) -> None:
        """A flat, sparse copy of ``source`` (and all it is backed by) in format ``to``."""

    def overlay(self, path: Path, backing: Path, backing_fmt: str, size: int) -> None:
        """A qcow2 of ``size`` bytes whose unwritten parts come from ``backing``."""

    def blank(self, path: Path, fmt: str, size: int) -> None:
        """An empty disk of ``size`` bytes."""

    def grow(self, path: Path, fmt: str, size: int) -> None:
        """Make a disk ``size`` bytes long."""

    def filesystem(self, path: Path, kind: str, label: str) -> None:
        """Make a file system of ``kind`` (ext2 to ext4, ``swap``) on a raw image."""


class SystemTools:
    """``qemu-img``, ``mke2fs`` and ``mkswap``. Reading an unknown image is bounded in CPU time and memory."""

    def __init__(self, host: str, *, cpu_seconds: int, address_space_gib: int) -> None:
        self._host = host
        self._limits = ["prlimit", f"--cpu={cpu_seconds}", f"--as={address_space_gib * _GIB}"]

    def _run(self, command: Sequence[str]) -> str:
        env = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        except FileNotFoundError as error:
            reason = f"the program {command[0]} is not installed"
            raise HypervisorFailed(call=command[0], host=self._host, reason=reason) from error
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip() or f"exit status {error.returncode}"
            raise HypervisorFailed(call=" ".join(command[:2]), host=self._host, reason=reason) from error
        return done.stdout

    def info(self, path: Path, fmt: str) -> ImageInfo:
        command = [*self._limits, "qemu-img", "info", "--force-share", "--output=json", "-f", fmt, str(path)]
        found = orjson.loads(self._run(command))
        details = found.get("format-specific", {}).get("data", {})
        return ImageInfo(
            format=found["format"],
            virtual_size=found["virtual-size"],
            backing_file=found.get("backing-filename"),
            data_file=details.get("data-file"),
            vmdk_kind=details.get("create-type"),
        )

    def convert(self, source: Path, fmt: str, target: Path, to: str, *, compress: bool = False) -> None:
        options = ["-c"] if compress and to == "qcow2" else []
        command = ["qemu-img", "convert", "-U", "-f", fmt, "-O", to, *options, str(source), str(target)]
        self._run(command)

    def overlay(self, path: Path, backing: Path, backing_fmt: str, size: int) -> None:
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", backing_fmt]
        self._run([*command, str(path), str(size)])

    def blank(self, path: Path, fmt: str, size: int) -> None:
        self._run(["qemu-img", "create", "-q", "-f", fmt, str(path), str(size)])

    def grow(self, path: Path, fmt: str, size: int) -> None:
        self._run(["qemu-img", "resize", "-q", "-f", fmt, str(path), str(size)])

    def filesystem(self, path: Path, kind: str, label: str) -> None:
        if kind == "swap":
            self._run(["mkswap", "-q", "-L", label, str(path)])
        else:
            self._run(["mke2fs", "-q", "-F", "-t", kind, "-L", label, str(path)])
