"""Can guests run here? libvirt, KVM, tools, networks, and room for disks."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful
from kilonova.cli.host.hypervisor import virtualization
from kilonova.hypervisor.contracts import HypervisorFailed, HypervisorUnavailable
from kilonova.hypervisor.libvirt.options import LibvirtOptions, StorageOptions
from kilonova.services.process import ProcessOptions

_LITTLE_PERCENT = 10
_LEAST_BYTES = 1 << 30
_DEVICES = (("/dev/net/tun", "tun", True), ("/dev/vhost-net", "vhost_net", False))
"""Device, the kernel's module for it, and whether guests cannot do without it."""
_OVS_SECONDS = 5


def look(patient: Patient) -> Iterator[Finding]:
    """What guests need of a compute host."""
    driver = patient.given("DEFAULT", "compute_driver") or ""
    if not patient.hosts:
        yield Finding("Host", "no guests run on a controller")
    elif driver.endswith("FakeDriver"):
        yield Finding("Host", "the fake driver needs nothing of its host")
    else:
        yield from _libvirt(patient)
        yield _kvm(patient)
        yield _tool("qemu-img", "apt install qemu-utils")
        yield from _networks(patient)
        yield from _storage(patient)


def _libvirt(patient: Patient) -> Iterator[Finding]:
    from kilonova.hypervisor.libvirt.connection import Connection  # noqa: PLC0415  # a controller may lack the library

    uri = patient.configuration.section(LibvirtOptions).connection_uri or "qemu:///system"
    connection = Connection(uri, "this host")
    try:
        version = connection.version()
    except (HypervisorUnavailable, HypervisorFailed) as error:
        fix = "systemctl enable --now libvirtd; the services' user must be in the group libvirt"
        yield broken("libvirt", str(error), fix)
        return
    finally:
        connection.close()
    release = f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
    yield Finding("libvirt", f"answers at {uri}, with QEMU {release}")


def _kvm(patient: Patient) -> Finding:
    wanted = patient.configuration.section(LibvirtOptions).virt_type
    here = virtualization()
    if wanted == "kvm" and here.virt_type != "kvm":
        why = here.reason.rpartition(": ")[2]
        return broken(
            "KVM",
            f"[libvirt] virt_type = kvm, but {why}",
            "switch virtualization on in the firmware, or set [libvirt] virt_type = qemu",
        )
    if wanted != "kvm" and here.virt_type == "kvm":
        return doubtful("KVM", f"it works here, but [libvirt] virt_type = {wanted}", "set [libvirt] virt_type = kvm")
    return Finding("KVM", here.reason)


def _tool(program: str, fix: str) -> Finding:
    found = shutil.which(program)
    return Finding(program, f"found {found}") if found else broken(program, "it is not installed", fix)


def _networks(patient: Patient) -> Iterator[Finding]:
    for device, module, needed in _DEVICES:
        if Path(device).exists():
            yield Finding(module, f"{device} is there")
        else:
            kind = broken if needed else doubtful
            yield kind(
                module, f"{device} is missing", f"modprobe {module}; echo {module} > /etc/modules-load.d/{module}.conf"
            )
    if patient.is_lab:
        filtered = Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists()
        words = "traffic between guests of one network is not filtered"
        yield (
            Finding("br_netfilter", "is loaded")
            if filtered
            else doubtful("br_netfilter", words, "modprobe br_netfilter")
        )
    elif shutil.which("ovs-vsctl") is None:
        yield Finding("Open vSwitch", "is not installed: Neutron must bind ports to Linux bridges here")
    else:
        yield _open_vswitch()


def _open_vswitch() -> Finding:
    asked = ["ovs-vsctl", f"--timeout={_OVS_SECONDS}", "br-exists", "br-int"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return Finding("Open vSwitch", "has the bridge br-int")
    if ended.returncode == 2:  # noqa: PLR2004  # ovs-vsctl(8): there is no such bridge
        return broken("Open vSwitch", "has no bridge br-int", "start Neutron's agent here: it makes the bridge")
    return broken("Open vSwitch", f"does not answer: {ended.stderr.strip()}", "systemctl start openvswitch-switch")


def _storage(patient: Patient) -> Iterator[Finding]:
    state = Path(patient.configuration.section(ProcessOptions).state_path)
    instances = Path(patient.configuration.section(StorageOptions).instances_path)
    for option, path in (("state_path", state), ("instances_path", instances)):
        yield _writable(f"[DEFAULT] {option}", path)
    if instances.is_dir():
        yield _room(instances)


def _writable(option: str, path: Path) -> Finding:
    fix = f"install -d -o nova -g nova {path}"
    if not path.is_dir():
        return broken(option, f"{path} is not there", fix)
    try:
        with tempfile.TemporaryFile(dir=path):
            return Finding(option, f"{path} can be written to by {path.owner()}")
    except OSError as error:
        return broken(option, f"{path} cannot be written to: {error.strerror}", fix)


def _room(path: Path) -> Finding:
    usage = shutil.disk_usage(path)
    percent = 100 * usage.free // usage.total
    words = f"{usage.free / (1 << 30):.1f} GiB free at {path} ({percent} %)"
    fix = "make room: a host without any pauses its guests; see [image_cache] too"
    if usage.free < _LEAST_BYTES:
        return broken("Disk", words, fix)
    return doubtful("Disk", words, fix) if percent < _LITTLE_PERCENT else Finding("Disk", words)
