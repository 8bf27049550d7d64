"""The fake host's guests, in memory and, when asked, in a file that outlives the process.

The file is a journal, a JSON line a change, so that a change costs the same with ten guests and ten thousand, and a
process killed while writing spoils at most its last line.
"""

import errno
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, GuestState
from kilonova.kit import codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A guest that is only remembered."""

    uuid: str
    name: str
    display_name: str
    node: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    power: PowerState
    boots: int = 1
    """Times it was started; the console log shows them."""
    volumes: Mapping[str, int] = field(default_factory=dict)
    """Volume → its size as the guest was told last; 0 when it was never told."""
    macs: tuple[str, ...] = ()
    """Of its NICs, in the order they were plugged."""
    shares: tuple[str, ...] = ()
    """Tags of those that it can mount."""
    ephemerals: tuple[int, ...] = ()
    """GiB of its local disks that started empty."""
    rescue_image: str | None = None
    move: str = ""
    """The move that brought it here."""
    aside: bool = False
    """Set aside for a move that may be reverted."""

    @property
    def key(self) -> str:
        """What it is kept by: a guest set aside leaves room for the one that it became on the same host."""
        return f"{self.uuid}_resize" if self.aside else self.uuid

    @classmethod
    def of(cls, spec: GuestSpec, node: str) -> "Record":
        return cls(
            uuid=spec.uuid,
            name=spec.name,
            display_name=spec.display_name,
            node=node,
            vcpus=spec.vcpus,
            memory_mb=spec.memory_mb,
            disk_gb=(0 if spec.boots_from_volume else spec.root_gb)
            + sum(spec.ephemerals_gb)
            + -(-spec.swap_mb // 1024),
            power=PowerState.PAUSED if spec.held else PowerState.RUNNING,
            volumes={volume.volume_id: 0 for volume in spec.volumes},
            macs=tuple(nic.mac for nic in spec.nics),
            ephemerals=spec.ephemerals_gb,
        )

    def guest(self) -> GuestState:
        return GuestState(uuid=self.uuid, name=self.name, power=self.power)


@dataclass(slots=True)
class Usage:
    """What the guests of one node use."""

    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    guests: int = 0

    def add(self, record: Record, sign: int) -> None:
        self.vcpus += sign * record.vcpus
        self.memory_mb += sign * record.memory_mb
        self.disk_gb += sign * record.disk_gb
        self.guests += sign


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    uuid: str
    record: Record | None


class Guests:
    """All records by UUID. Every method may be called from any thread; a change is one step."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._usage: dict[str, Usage] = {}
        self._file: FileIO | None = None
        if path is not None:
            self._load(path)
            self._file = self._compact(path)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def get(self, uuid: str) -> Record | None:
        return self._records.get(uuid)

    def all(self) -> list[Record]:
        with self._lock:
            return [record for record in self._records.values() if not record.aside]

    def aside(self) -> list[Record]:
        """Those that are set aside."""
        with self._lock:
            return [record for record in self._records.values() if record.aside]

    def usage(self) -> dict[str, Usage]:
        """By node; nodes without guests are absent."""
        with self._lock:
            return {node: replace(usage) for node, usage in self._usage.items()}

    def put(self, record: Record) -> None:
        with self._lock:
            self._write(_Line(uuid=record.key, record=record))
            self._set(record)

    def drop(self, uuid: str) -> None:
        """Forget a guest; unknown is fine."""
        with self._lock:
            if uuid in self._records:
                self._write(_Line(uuid=uuid, record=None))
                self._unset(uuid)

    def _set(self, record: Record) -> None:
        self._unset(record.key)
        self._records[record.key] = record
        if not record.aside:
            self._usage.setdefault(record.node, Usage()).add(record, 1)

    def _unset(self, uuid: str) -> bool:
        old = self._records.pop(uuid, None)
        if old is not None and not old.aside:
            self._usage[old.node].add(old, -1)
        return old is not None

    def _write(self, line: _Line) -> None:
        """Whole or not at all, and before the change is made: a full disk must not part the file from what is known."""
        if self._file is None:
            return
        end, text = self._file.seek(0, os.SEEK_END), codec.dumps(codec.pack(line)) + b"\n"
        written = 0
        try:
            written = self._file.write(text)
        finally:
            if written < len(text):
                self._file.truncate(end)
        if written < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        for text in path.read_bytes().split(b"\n")[:-1]:  # what follows the last newline was cut off
            line = codec.unpack(codec.loads(text), _Line)
            if line.record is None:
                self._unset(line.uuid)
            else:
                self._set(line.record)

    def _compact(self, path: Path) -> FileIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with part.open("wb") as stream:
            for record in self._records.values():
                stream.write(codec.dumps(codec.pack(_Line(uuid=record.key, record=record))) + b"\n")
        part.rename(path)
        return path.open("ab", buffering=0)
