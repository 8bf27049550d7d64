"""Tap devices that outlived their guest. libvirt removes them itself unless it was killed at the wrong moment."""

import logging
import subprocess
from collections.abc import Iterable
from pathlib import Path

from kilonova.hypervisor.libvirt.xml import domain as xml

LOG = logging.getLogger(__name__)
_NET = Path("/sys/class/net")


def of(domain: xml.Domain) -> tuple[str, ...]:
    """Names of the tap devices of a guest."""
    return tuple(nic.target.dev for nic in domain.devices.interfaces if nic.target)


def remove_left_over(names: Iterable[str]) -> None:
    """Delete those that still exist and are tap devices; other devices of that name are left alone."""
    for name in names:
        if not (_NET / name / "tun_flags").exists():
            continue
        command = ["ip", "link", "delete", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and (_NET / name).exists():
            LOG.warning("Tap device %s stays: %s", name, done.stderr.strip())
