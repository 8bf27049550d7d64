"""Tap devices and ports that outlived their guest: libvirt removes them unless it was killed at the wrong moment."""

import logging
import shutil
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

from kilonova.hypervisor.libvirt.xml import domain as xml

LOG = logging.getLogger(__name__)
_NET = Path("/sys/class/net")
_OVS_SECONDS = 5


def of(domain: xml.Domain) -> tuple[str, ...]:
    """Names of the tap devices of a guest."""
    return tuple(nic.target.dev for nic in domain.devices.interfaces if nic.target)


def ports_of(domain: xml.Domain) -> tuple[str, ...]:
    """Names of its ports of an Open vSwitch."""
    nics = (nic for nic in domain.devices.interfaces if nic.virtualport and nic.virtualport.type == "openvswitch")
    return tuple(nic.target.dev for nic in nics if nic.target)


def remove_ports(names: Collection[str]) -> None:
    """Take ports out of Open vSwitch's database: those of a guest that died with its host outlive both."""
    words = [word for name in names for word in ("--", "--if-exists", "del-port", name)]
    if not words or shutil.which("ovs-vsctl") is None:
        return
    command = ["ovs-vsctl", "--no-wait", f"--timeout={_OVS_SECONDS}", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        LOG.warning("Open vSwitch may keep ports (%s): %s", " ".join(names), done.stderr.strip())


def remove_left_over(names: Iterable[str]) -> None:
    """Delete those that still exist and are tap devices; other devices of that name are left alone."""
    for name in names:
        if not (_NET / name / "tun_flags").exists():
            continue
        command = ["ip", "link", "delete", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and (_NET / name).exists():
            LOG.warning("Tap device %s stays: %s", name, done.stderr.strip())
