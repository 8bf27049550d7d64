"""The machine as a hypervisor: whether KVM really works, and a libvirt to talk to."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kilonova.cli.host.processes import Processes
from kilonova.kit.errors import Unavailable

Say = Callable[[str], None]

_KVM_GET_API_VERSION = 0xAE00
_KVM_CREATE_VM = 0xAE01
_KVM_API = 12
"""ioctls and the only API version there ever was: the kernel's Documentation/virt/kvm/api.rst, 4.1 and 4.2."""
_FLAGS = re.compile(r"^flags\s*:.*\b(vmx|svm)\b", re.MULTILINE)
_SYSTEM_SOCKET = Path("/run/libvirt/libvirt-sock")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SYSTEMD = Path("/run/systemd/system")
_DAEMONS = ("virtlogd", "libvirtd")
_START_SECONDS = 30
_PAUSE = 0.2
_SOCKET_PATH = 107
"""Longest path of a UNIX socket (unix(7))."""

_ENTER = """
set -eu
state=$1; shift
for place in /etc/libvirt:etc /var/lib/libvirt:lib /var/cache/libvirt:cache /var/log/libvirt:log /run/libvirt:run; do
    mkdir -p "${place%:*}"
    mount --bind "$state/${place#*:}" "${place%:*}"
done
for emulator in /usr/bin/qemu-system-*; do
    case ${emulator##*-} in "$(uname -m)") ;; *) mount --bind /dev/null "$emulator" ;; esac
done
exec "$@"
"""
"""Gives a daemon its own view of libvirt's fixed directories, so that it never meets a libvirt of the system.

Hides the emulators of other machines too: libvirt examines each it finds, for seconds.
"""

_LIBVIRTD_CONF = """\
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:stderr"
"""
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 1
remember_owner = 0
namespaces = []
stdio_handler = "logd"
vnc_listen = "127.0.0.1"
"""


class NoLibvirt(Unavailable):
    """libvirt is not installed or cannot run here."""

    template = "No libvirt: {reason}"


@dataclass(frozen=True, slots=True)
class Virtualization:
    """Which domain type guests get, and a sentence that says why."""

    virt_type: str
    """``kvm`` or ``qemu``."""
    reason: str


def virtualization(cpuinfo: Path = Path("/proc/cpuinfo"), device: Path = Path("/dev/kvm")) -> Virtualization:
    """Is KVM usable? A /dev/kvm alone says little: the processor must have the feature and a VM must be made."""
    why = _why_not(cpuinfo, device)
    if why is None:
        return Virtualization("kvm", "guests run with KVM acceleration")
    return Virtualization("qemu", f"guests are emulated by QEMU (virt_type = qemu), which is slower: {why}")


def _why_not(cpuinfo: Path, device: Path) -> str | None:
    if not _FLAGS.search(cpuinfo.read_text()):
        return "the processor shows neither vmx nor svm"
    try:
        handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"{device} cannot be opened ({error.strerror})"
    try:
        if fcntl.ioctl(handle, _KVM_GET_API_VERSION, 0) != _KVM_API:
            return f"{device} speaks an unknown API version"
        os.close(fcntl.ioctl(handle, _KVM_CREATE_VM, 0))
    except OSError as error:
        return f"{device} cannot make a virtual machine ({error.strerror})"
    finally:
        os.close(handle)
    return None


@dataclass(frozen=True, slots=True)
class Libvirt:
    """A libvirt that answers."""

    uri: str
    private: bool
    """It is ours, started by ``libvirt`` and stopped by ``stop``."""


def libvirt(state: Path, processes: Processes, say: Say) -> Libvirt:
    """The system's libvirtd where systemd runs one, else our own, with all it keeps under ``state``/libvirt.

    Raises NoLibvirt, DidNotStart.
    """
    if shutil.which("libvirtd") is None and not Path("/usr/sbin/libvirtd").exists():
        raise NoLibvirt(reason="libvirtd is not installed (package libvirt-daemon-system)")
    if under_systemd() and _system_libvirt():
        say("using the system's libvirtd")
        return Libvirt("qemu:///system", private=False)
    return _own(state / "libvirt", processes, say)


def under_systemd() -> bool:
    """Did systemd boot this machine? (sd_booted(3))"""
    return _SYSTEMD.is_dir()


def _system_libvirt() -> bool:
    """Start systemd's libvirtd if need be; False where the unit does not exist or fails."""
    done = subprocess.run(["systemctl", "start", "libvirtd.service"], check=False, capture_output=True)
    return done.returncode == 0 and _answers(_SYSTEM_SOCKET)


def _own(home: Path, processes: Processes, say: Say) -> Libvirt:
    if os.geteuid() != 0:
        raise NoLibvirt(reason="starting libvirtd needs root")
    longest = home / "run" / "virtlogd-admin-sock"
    if len(str(longest)) > _SOCKET_PATH:
        raise NoLibvirt(reason=f"the path {longest} is too long for a socket; choose a shorter state directory")
    _configure(home)
    for name in _DAEMONS:
        if processes.running(name) is None:
            say(f"starting {name}")
        processes.start(name, _command(name, home), environ={"PATH": f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"})
    for name, path in (("virtlogd", "virtlogd-sock"), ("libvirtd", "libvirt-sock")):
        processes.wait(name, lambda path=path: _answers(home / "run" / path), _START_SECONDS)  # type: ignore[misc]
    found = Libvirt(f"qemu+unix:///system?socket={home}/run/libvirt-sock", private=True)
    # libvirt examines QEMU when first asked, for some seconds: ask now, while other parts start.
    threading.Thread(target=_virsh, args=(found, "capabilities"), name="libvirt-warm-up", daemon=True).start()
    return found


def _command(name: str, home: Path) -> list[str]:
    inside = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _ENTER, "sh", str(home)]
    return [*inside, name, "--pid-file", str(home / f"{name}.pid")]


def _configure(home: Path) -> None:
    boot = _BOOT.read_text()
    made = home / "boot"
    if not made.exists() or made.read_text() != boot:
        # What libvirt knows of running guests is of another boot; a system's /run would be empty now.
        shutil.rmtree(home / "run", ignore_errors=True)
    for name in ("etc/qemu", "lib", "cache", "log", "run"):
        (home / name).mkdir(parents=True, exist_ok=True)
    made.write_text(boot)
    (home / "etc" / "libvirtd.conf").write_text(_LIBVIRTD_CONF)
    (home / "etc" / "qemu.conf").write_text(_QEMU_CONF)
    (home / "etc" / "virtlogd.conf").write_text('log_outputs = "3:stderr"\n')


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        return probe.connect_ex(str(path)) == 0


def stop(state: Path, processes: Processes, say: Say, *, grace: float = 0) -> None:
    """End the guests and daemons of our own libvirt, if it was ever started; a system's libvirt is left alone.

    Guests may shut down by themselves for ``grace`` seconds before they lose their power.

    Raises NoLibvirt, DidNotStart where guests run on without their daemon and it does not come back.
    """
    home = state / "libvirt"
    if any((home / "run" / "qemu").glob("*.pid")):
        found = _own(home, processes, say)
        if grace:
            _shut_down(found, grace, say)
        for name in _virsh(found, "list", "--name").split():
            say(f"ending guest {name}")
            _virsh(found, "destroy", name)
    for name in reversed(_DAEMONS):
        if processes.stop(name):
            say(f"stopped {name}")


def _shut_down(found: Libvirt, grace: float, say: Say) -> None:
    """Press the power button of all guests that run. A paused one cannot answer."""
    names = _virsh(found, "list", "--name", "--state-running").split()
    if names:
        say(f"shutting down {', '.join(names)}")
    for name in names:
        _virsh(found, "shutdown", name)
    end = time.monotonic() + grace
    while names and time.monotonic() < end:
        time.sleep(_PAUSE)
        active = _virsh(found, "list", "--name").split()
        names = [name for name in names if name in active]


def _virsh(found: Libvirt, *arguments: str) -> str:
    command = ["virsh", "-q", "-c", found.uri, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout
