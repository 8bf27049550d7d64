"""Writing initramfs archives: cpio in its "newc" form, which the kernel unpacks (its initramfs buffer format)."""

import stat
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(slots=True)
class Archive:
    """Files of an initramfs, all owned by root; parent directories appear by themselves."""

    _parts: list[bytes] = field(default_factory=list)
    _folders: set[str] = field(default_factory=set)
    _count: int = 0

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A plain file."""
        self._parents(path)
        self._entry(path, stat.S_IFREG | mode, content)

    def link(self, path: str, target: str) -> None:
        """A symbolic link at ``path``."""
        self._parents(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def folder(self, path: str, mode: int = 0o755) -> None:
        """A directory; asking twice is fine."""
        if path in self._folders:
            return
        self._parents(path)
        self._folders.add(path)
        self._entry(path, stat.S_IFDIR | mode, b"")

    def device(self, path: str, major: int, minor: int) -> None:
        """A character device."""
        self._parents(path)
        self._entry(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def data(self) -> bytes:
        """The whole archive."""
        body = b"".join(self._parts)
        return body + _record(0, "TRAILER!!!", 0, b"", (0, 0))

    def _parents(self, path: str) -> None:
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            self.folder(str(parent))

    def _entry(self, path: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._count += 1
        self._parts.append(_record(self._count, path, mode, content, device))


def _record(inode: int, path: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
    name = path.encode() + b"\0"
    numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
