"""A bootable disk without mounting one: MBR, one FAT partition, syslinux, written to qcow2."""

import subprocess
from pathlib import Path

from kilonova.kit.errors import Unavailable

SYSLINUX_MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")
_START = 1 << 20
_SECTOR = 512
_MENU = """\
DEFAULT tiny
PROMPT 0
TIMEOUT 0
LABEL tiny
  KERNEL /vmlinuz
  INITRD /initrd
  APPEND {cmdline}
"""
CMDLINE = (
    "console=tty1 console=ttyS0,115200 quiet loglevel=4 mitigations=off nokaslr tsc=nowatchdog no_timer_check "
    "lpj=4000000 random.trust_cpu=on rcupdate.rcu_expedited=1 8250.nr_uarts=1 audit=0 selinux=0 apparmor=0 "
    "cryptomgr.notests initcall_blacklist=crypto_kdf108_init,init_kprobe_trace panic=10"
)
"""Under emulation every self-test and calibration costs; none of them matters to this guest."""


class DiskFailed(Unavailable):
    """A tool that makes the disk failed."""

    template = "Cannot make the guest's disk: `{command}` failed: {reason}"


def write(target: Path, workdir: Path, kernel: Path, initrd: bytes) -> None:
    """Make ``target`` (qcow2) boot ``kernel`` with ``initrd``; intermediate files stay in ``workdir``.

    Raises DiskFailed.
    """
    size = _rounded(kernel.stat().st_size + len(initrd) + (4 << 20))
    raw = workdir / "disk.raw"
    _partition(raw, size)
    sectors = str(_START // _SECTOR)
    _run("mkfs.vfat", "-F", "16", "-n", "TINYGUEST", "--offset", sectors, str(raw), str((size - _START) // 1024))
    (workdir / "initrd").write_bytes(initrd)
    (workdir / "syslinux.cfg").write_text(_MENU.format(cmdline=CMDLINE))
    at = f"{raw}@@{_START}"
    _run("mcopy", "-o", "-i", at, str(kernel), "::/vmlinuz")
    _run("mcopy", "-o", "-i", at, str(workdir / "initrd"), str(workdir / "syslinux.cfg"), "::/")
    _run("syslinux", "--install", "--offset", str(_START), str(raw))
    # Its parts are packed already; leaving the image unpacked saves time here and on every start.
    made = target.with_suffix(".part")
    _run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(made))
    made.replace(target)
    raw.unlink()


def _rounded(size: int) -> int:
    """Whole cylinders of 8 MiB, which every partition tool and BIOS agrees with."""
    unit = 8 << 20
    return (size + unit - 1) // unit * unit


def _partition(raw: Path, size: int) -> None:
    """An MBR with one active FAT16 (LBA) partition."""
    with raw.open("wb") as disk:
        disk.truncate(size)
        disk.write(SYSLINUX_MBR.read_bytes()[:440])
        disk.seek(446)
        disk.write(b"\x80\xfe\xff\xff\x0e\xfe\xff\xff")
        disk.write((_START // _SECTOR).to_bytes(4, "little"))
        disk.write(((size - _START) // _SECTOR).to_bytes(4, "little"))
        disk.seek(510)
        disk.write(b"\x55\xaa")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise DiskFailed(command=command[0], reason=(done.stderr or done.stdout).strip())
