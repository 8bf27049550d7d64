"""The distribution's packages: which are needed, which are missing, getting them."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kilonova.cli import guest_image
from kilonova.kit.errors import Unavailable

Say = Callable[[str], None]

TESTED = (("debian", "12"), ("ubuntu", "24.04"), ("ubuntu", "22.04"))
HYPERVISOR = (
    *("qemu-system-x86", "qemu-utils", "qemu-block-extra", "seabios", "ipxe-qemu", "e2fsprogs"),
    *("libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-daemon-system", "libvirt-clients"),
)
NETWORK = ("iproute2", "dnsmasq-base", "nftables")
CONSOLE = ("novnc",)
RUN = (*HYPERVISOR, *NETWORK, *CONSOLE, *guest_image.PACKAGES, *guest_image.OPTIONAL_PACKAGES)
"""All that ``make up`` needs."""
DATABASES = ("mariadb-server", "postgresql")
"""What the store is tested on besides SQLite, as private servers of the tests."""
TEST = ("openssl", "openssh-client", "curl", "iputils-ping", *DATABASES, *RUN)
"""All that the tests need besides a browser."""
BROWSERS = {"debian": ("chromium",)}
"""Headless browser of the console test; Ubuntu has it as a snap only, there the test is skipped."""

PROGRAMS = {
    "ip": "iproute2",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "libvirtd": "libvirt-daemon-system",
    "virtlogd": "libvirt-daemon",
    "virsh": "libvirt-clients",
}
"""What the cloud runs, and whose it is: a package may be called installed while its programs are gone."""

_STEP = 20
"""Percent of installation between two progress lines."""


class UnknownDistribution(Unavailable):
    """Not one whose package names we know."""

    template = "This machine runs {name}; the all-in-one is made for Debian 12, Ubuntu 24.04 and Ubuntu 22.04"


class NeedsRoot(Unavailable):
    """Packages are missing and we may not install them."""

    template = "These packages are missing: {packages}. Run this as root, install sudo, or: apt-get install {packages}"


class MissingPrograms(Unavailable):
    """Installed packages, as dpkg has it, but not their programs."""

    template = "Cannot run {programs}. Repair with: apt-get install --reinstall {packages}"


class InstallFailed(Unavailable):
    """apt-get says no."""

    template = "apt-get {step} failed; its output is in {log} and ends with:\n{tail}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """What /etc/os-release says (os-release(5))."""

    id: str
    version: str
    name: str

    @property
    def tested(self) -> bool:
        return (self.id, self.version) in TESTED


def distribution() -> Distribution:
    """The machine's own; raises UnknownDistribution unless it is Debian or Ubuntu (any version)."""
    try:
        facts = platform.freedesktop_os_release()
    except OSError as error:
        raise UnknownDistribution(name="no known Linux distribution") from error
    found = Distribution(facts["ID"], facts.get("VERSION_ID", ""), facts.get("PRETTY_NAME", facts["ID"]))
    if found.id not in {"debian", "ubuntu"} or shutil.which("apt-get") is None:
        raise UnknownDistribution(name=found.name)
    return found


def for_tests() -> tuple[str, ...]:
    """The packages that `make test` needs here. Raises UnknownDistribution."""
    return (*TEST, *BROWSERS.get(distribution().id, ()))


def missing(packages: Iterable[str]) -> list[str]:
    """Those of ``packages`` that are not installed, in order."""
    wanted = list(dict.fromkeys(packages))
    command = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *wanted]
    listed = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return absent(wanted, listed)


def absent(wanted: Iterable[str], listing: str) -> list[str]:
    """Packages without an ``installed`` line in dpkg-query's ``listing``."""
    there = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in there]


def ensure(packages: Iterable[str], log: Path, say: Say) -> list[str]:
    """Install what is missing; returns what was installed.

    Raises UnknownDistribution, NeedsRoot, InstallFailed.
    """
    found = distribution()
    names = missing(packages)
    if not names:
        return []
    if not found.tested:
        say(f"{found.name} is not one of the tested systems; going on")
    install(names, log, say)
    return names


def check_programs(programs: Mapping[str, str] = MappingProxyType(PROGRAMS)) -> None:
    """Raises MissingPrograms, naming each program that is not on PATH and the package it is of."""
    gone = {program: package for program, package in programs.items() if shutil.which(program) is None}
    if gone:
        words = ", ".join(f"{program} (package {package})" for program, package in gone.items())
        raise MissingPrograms(programs=words, packages=" ".join(dict.fromkeys(gone.values())))


def install(names: list[str], log: Path, say: Say) -> None:
    """apt-get install, without questions. Raises NeedsRoot, InstallFailed."""
    prefix = _root_prefix(names)
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"installing {len(names)} packages: {' '.join(names)}")
    # Old lists name files that the mirror has dropped, so they are always read anew; it takes seconds.
    _apt(prefix, ["update"], log, say)
    # Recommendations would bring desktop parts.
    _apt(prefix, ["install", "-y", "--no-install-recommends", *names], log, say)


def _root_prefix(names: list[str]) -> list[str]:
    # A fresh environment for apt: sudo drops ours anyway.
    environ = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
    if os.geteuid() == 0:
        return environ
    if shutil.which("sudo") is None:
        raise NeedsRoot(packages=" ".join(names))
    return ["sudo", *environ]


def _apt(prefix: list[str], arguments: list[str], log: Path, say: Say) -> None:
    # A pipe of its own: apt makes the status descriptor non-blocking, and scripts that share it fail when it is full.
    reader, writer = os.pipe()
    options = ["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]
    if prefix[0] != "sudo":  # which closes descriptors it does not know: no progress then
        options += ["-o", f"APT::Status-Fd={writer}"]
    command = [*prefix, "apt-get", *options, *arguments]
    progress = Progress(say)
    with log.open("a") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=(writer,)
        )
        os.close(writer)
        with os.fdopen(reader, errors="replace") as status:
            for line in status:
                progress.heard(line)
    if process.wait() != 0:
        tail = "\n".join(log.read_text().splitlines()[-8:])
        raise InstallFailed(step=arguments[0], log=log, tail=tail)


class Progress:
    """Turns apt's status lines (``dlstatus:N:PERCENT:TEXT``, ``pmstatus:PACKAGE:PERCENT:TEXT``) into few sentences."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._told: dict[str, int] = {}

    def heard(self, line: str) -> bool:
        """Is ``line`` a status line?"""
        kind, _, rest = line.partition(":")
        words = {"dlstatus": "downloading packages", "pmstatus": "installing packages"}.get(kind)
        if words is None:
            return False
        percent = rest.partition(":")[2].partition(":")[0]
        if percent.replace(".", "", 1).isdigit():
            step = int(float(percent)) // _STEP * _STEP
            if step > self._told.get(kind, 0):
                self._told[kind] = step
                self._say(f"{words}: {step} %")
        return True
