"""The guest's whole file system: busybox, a handful of scripts, the kernel modules a virtual machine needs."""

import gzip
import re
import subprocess
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from kilonova.cli.guest.archive import Archive
from kilonova.cli.guest.kernel import Kernel, Module

BUSYBOX = Path("/bin/busybox")
DROPBEAR = Path("/usr/sbin/dropbear")
SCRIPTS = {
    "init": "init",
    "inittab": "etc/inittab",
    "rc.net": "etc/rc.net",
    "udhcpc.script": "etc/udhcpc.script",
    "powerbutton": "etc/acpi/PWRF/00000080",
}
FIRST = ("virtio_pci", "virtio_net", "virtio_blk", "virtio_scsi", "ata_piix", "ahci", "cdrom", "sr_mod", "isofs")
"""Loaded before anything else: disks, NICs and the config drive. The shorter, the sooner the guest asks for DHCP."""
SECOND = (
    *("button", "evdev", "virtio_rng", "sd_mod", "virtio_balloon", "virtio_console", "af_packet", "ata_generic"),
    *("e1000", "8139cp", "nvme", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "ext4", "qemu_fw_cfg", "i6300esb"),
    *("acpiphp", "pciehp", "shpchp"),
)
"""Loaded while the guest waits for its address; those without hardware are rejected cheaply."""
_SHARED = re.compile(r"(/\S+)")


def build(kernel: Kernel) -> bytes:
    """The compressed archive."""
    archive = Archive()
    for path in ("proc", "sys", "dev", "run", "tmp", "mnt", "root"):
        archive.folder(path)
    archive.device("dev/console", 5, 1)
    _busybox(archive)
    _texts(archive)
    if DROPBEAR.exists():
        _dropbear(archive)
    _modules(archive, kernel)
    return gzip.compress(archive.data(), compresslevel=6, mtime=0)


def scripts() -> dict[str, bytes]:
    """The guest's scripts by file name, for the key of a built image too."""
    folder = files("kilonova.cli.guest") / "files"
    return {name: (folder / name).read_bytes() for name in SCRIPTS}


def _busybox(archive: Archive) -> None:
    archive.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    applets = subprocess.run([str(BUSYBOX), "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")


def _texts(archive: Archive) -> None:
    for name, content in scripts().items():
        archive.file(SCRIPTS[name], content, 0o755)
    archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    archive.file("etc/shells", b"/bin/sh\n")
    archive.file("etc/profile", b"export PATH=/bin:/sbin\n")


def _dropbear(archive: Archive) -> None:
    """An SSH server and the shared libraries it names."""
    archive.file("sbin/dropbear", DROPBEAR.read_bytes(), 0o755)
    linked = subprocess.run(["ldd", str(DROPBEAR)], check=True, capture_output=True, text=True).stdout
    for library in sorted(set(_SHARED.findall(linked))):
        archive.file(library.lstrip("/"), Path(library).resolve().read_bytes(), 0o755)


def _modules(archive: Archive, kernel: Kernel) -> None:
    first = kernel.modules(FIRST)
    every = kernel.modules((*FIRST, *SECOND))
    early = {module.name for module in first}
    folder = f"lib/modules/{kernel.version}"
    for module in every:
        archive.file(f"{folder}/{module.name}.ko", module.content)
    archive.file(f"{folder}/modules.dep", dependencies(every))
    archive.file(f"{folder}/modules.alias", aliases(every))
    archive.file("etc/modules.first", " ".join(module.name for module in first).encode())
    archive.file("etc/modules.second", " ".join(m.name for m in every if m.name not in early).encode())


def dependencies(modules: Iterable[Module]) -> bytes:
    """modules.dep(5): each line names a file and, in loading order from last to first, all it needs."""
    known: dict[str, list[str]] = {}
    lines: list[str] = []
    for module in modules:  # each comes after its needs
        needs: list[str] = []
        for need in module.needs:
            needs += [name for name in (need, *known[need]) if name not in needs]
        known[module.name] = needs
        lines.append(f"{module.name}.ko: {' '.join(f'{need}.ko' for need in needs)}".rstrip() + "\n")
    return "".join(lines).encode()


def aliases(modules: Iterable[Module]) -> bytes:
    """modules.alias(5): by these the kernel's requests for drivers find them."""
    lines = [f"alias {alias} {module.name}\n" for module in modules for alias in module.aliases]
    return "".join(lines).encode()
