"""Building ``tinyguest``, the image of the first tour: boots in seconds under emulation, no download but apt's.

On its serial console (ttyS0) and screen it writes, when its network and identity are settled::

    GUEST READY hostname=web1 ip=10.0.0.12 source=config-drive uuid=… disks=vda uptime=2.31
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from kilonova.cli.guest import disk, initramfs, kernel
from kilonova.kit.errors import Unavailable

READY = "GUEST READY"
"""Begins the line that a booted guest writes."""

TOOLS = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "syslinux": "syslinux",
    "qemu-img": "qemu-utils",
    "ldd": "libc-bin",
    "zstd": "zstd",
}
FILES = {initramfs.BUSYBOX: "busybox-static", disk.SYSLINUX_MBR: "syslinux-common"}
PACKAGES = ("busybox-static", "syslinux", "syslinux-common", "mtools", "dosfstools", "qemu-utils", "zstd")
"""What building needs from the distribution."""
OPTIONAL_PACKAGES = ("dropbear-bin",)
"""Adds an SSH server to the guest."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MissingTools(Unavailable):
    """Programs or files that building needs are not installed."""

    template = "The guest image cannot be built; missing: {missing}. Install them with: apt-get install {packages}"


def build(target: Path, workdir: Path, say: Callable[[str], None]) -> Path:
    """Make the image at ``target`` unless it is there, made from the same inputs.

    ``workdir`` keeps the unpacked kernel for the next time. Raises MissingTools, NoKernel, DiskFailed.
    """
    check_tools()
    workdir.mkdir(parents=True, exist_ok=True)
    stamp = workdir / "image.key"
    there = kernel.unpacked(workdir / "kernel")
    if there and target.exists() and stamp.exists() and stamp.read_text() == _key(target, there):
        say(f"the guest image is there already: {target}")
        return target
    system = kernel.fetch(workdir, say)
    say(f"building the guest image on kernel {system.version}")
    target.parent.mkdir(parents=True, exist_ok=True)
    disk.write(target, workdir, system.image, initramfs.build(system))
    stamp.write_text(_key(target, system))
    say(f"guest image ready: {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return target


def check_tools() -> None:
    """Raises MissingTools, naming each missing program with its package."""
    missing = {tool: package for tool, package in TOOLS.items() if shutil.which(tool) is None and not _in_sbin(tool)}
    missing |= {str(path): package for path, package in FILES.items() if not path.exists()}
    if missing:
        words = ", ".join(f"{tool} (package {package})" for tool, package in missing.items())
        raise MissingTools(missing=words, packages=" ".join(sorted(set(missing.values()))))


def _in_sbin(tool: str) -> bool:
    """Plain users and sudo may have no sbin on their PATH."""
    return shutil.which(tool, path=_PATH) is not None


def _key(target: Path, system: kernel.Kernel) -> str:
    """Changes when any input of the image does; ``target`` counts, since its size says whether it is whole."""
    digest = hashlib.sha256()
    for name, content in sorted(initramfs.scripts().items()):
        digest.update(name.encode() + b"\0" + content)
    for part in (disk.CMDLINE, " ".join(initramfs.FIRST + initramfs.SECOND), system.version):
        digest.update(part.encode() + b"\0")
    for path in (initramfs.BUSYBOX, initramfs.DROPBEAR, target):
        facts = path.stat() if path.exists() else None
        digest.update(f"{path.name}:{facts and facts.st_size}:{facts and facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()
