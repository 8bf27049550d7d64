"""This machine once more, with systemd as its first process: an overlay of its root, in namespaces of its own.

What is written there lives in memory and goes with it; the network is the machine's own. Only what systemd needs to
boot is started: services that the machine has enabled are left out.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deployment.client import until

SYSTEMD = Path("/lib/systemd/systemd")
_OUT = """
systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket
systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service systemd-hwdb-update.service
systemd-remount-fs.service systemd-random-seed.service systemd-update-utmp.service systemd-logind.service
systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-resolved.service
systemd-timesyncd.service systemd-tmpfiles-clean.timer kmod-static-nodes.service getty.target
proc-sys-fs-binfmt_misc.automount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount
sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount networking.service
"""
"""Units that look after hardware, consoles and addresses: the machine outside has them."""
_NAMESPACE = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/cgroup" "$1/upper" "$1/work" "$1/root"
mount -t cgroup2 cgroup "$1/cgroup"
mkdir -p "$1/cgroup/$2"
echo $$ > "$1/cgroup/$2/cgroup.procs"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
exec unshare --mount --pid --uts --ipc --cgroup --fork sh -c "$3" sh "$1/root"
"""
_BOOT = f"""
set -e
cd "$1"
for place in sys proc dev run tmp mnt etc/systemd/system/kilonova.target.wants etc/systemd/system-generators; do
    mkdir -p $place
done
mount -t sysfs sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 pts dev/pts
mount -t tmpfs shm dev/shm
ln -s pts/ptmx dev/ptmx
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s /proc/self/${{name#*:}} dev/${{name%%:*}}; done
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires
for unit in {" ".join(_OUT.splitlines())}; do ln -sf /dev/null etc/systemd/system/$unit; done
ln -sf /dev/null etc/systemd/system-generators/systemd-sysv-generator
: > etc/fstab
[ -s etc/machine-id ] || echo {uuid.uuid4().hex} > etc/machine-id
mkdir -p mnt/outside
pivot_root . mnt/outside
mount -t proc proc /proc
umount -l /mnt/outside
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb {SYSTEMD} --system \
    --unit=multi-user.target --log-target=console --show-status=0 < /dev/null
"""
_KEPT = ("PIP_", "http", "no_proxy", "LANG")
"""How variables begin that commands inside have too: for installing packages of Python."""


class CannotBoot(Exception):
    """This machine does not let it: no rights, no cgroups of version 2, no overlays."""


@dataclass
class Booted:
    """One boot; ``directory`` is empty and for it alone."""

    directory: Path
    outside: subprocess.Popen[bytes] | None = None
    group: str = field(default_factory=lambda: f"kilonova-{os.getpid()}")

    def up(self) -> None:
        """Until systemd is ready for orders. Raises CannotBoot."""
        (self.directory / "machine").mkdir()
        log = self.directory / "boot.log"
        words = ["unshare", "--mount", "sh", "-c", _NAMESPACE, "sh", str(self.directory / "machine"), self.group, _BOOT]
        with log.open("wb") as output:
            self.outside = subprocess.Popen(words, stdout=output, stderr=output)

        def ready() -> bool:
            if self.outside is None or self.outside.poll() is not None:
                raise CannotBoot(log.read_text()[-500:])
            return self.run("systemctl is-system-running").stdout.strip() in {"running", "degraded"}

        until("systemd", ready, 60, pause=0.5)

    def down(self) -> None:
        """All that runs in it ends with its first process."""
        if self.outside is None:
            return
        first = self._first()
        if first is not None:
            os.kill(first, signal.SIGKILL)
        self.outside.wait(timeout=30)
        subprocess.run(["unshare", "--mount", "sh", "-c", _SWEEP, "sh", str(self.directory), self.group], check=False)
        for name in ("machine", "swept"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def run(self, command: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        """One command by its shell, as root; what it prints is in ``stdout``, errors too."""
        first = self._first()
        if first is None:
            return subprocess.CompletedProcess(command, 255, "not there yet", "")
        environment = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        return subprocess.run(
            ["nsenter", "-t", str(first), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "bash", "-ec", command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def feed(self, command: str, source: IO[bytes]) -> None:
        """Have a command of the shell read this."""
        words = ["nsenter", "-t", str(self._first()), "-m", "-r", "sh", "-c", command]
        subprocess.run(words, stdin=source, check=True)

    def write(self, path: str, text: str) -> None:
        """A file that root alone may read."""
        with tempfile.TemporaryFile() as source:
            source.write(text.encode())
            source.seek(0)
            self.feed(f"umask 077 && mkdir -p {Path(path).parent} && cat > {path}", source)

    def _first(self) -> int | None:
        """The process outside that is its first inside."""
        if self.outside is None:
            return None
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        try:
            found = children.read_text().split()
        except OSError:
            return None
        return int(found[0]) if found else None


_SWEEP = """
mkdir -p "$1/swept" && mount -t cgroup2 cgroup "$1/swept" && find "$1/swept/$2" -depth -type d -exec rmdir {} +
"""
