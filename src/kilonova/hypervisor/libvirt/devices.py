"""Plugging devices into guests, and pulling them out again."""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed, Nic, VolumeDisk
from kilonova.hypervisor.libvirt.builders.nics import interface
from kilonova.hypervisor.libvirt.builders.volumes import dev_of, source_of, volume_disk
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read, write

LOG = logging.getLogger(__name__)
_POLL_S = 0.2


class DevicePlug(Ground):
    """Implements ``contracts.Devices``."""

    def attach_nic(self, spec: GuestSpec, nic: Nic) -> None:
        with self.locks.hold(spec.uuid):
            folder = self.storage.folder(spec.uuid)
            domain = self.find(spec.uuid)
            self.power_of(domain, folder, spec.uuid)
            if domain is None:
                return  # its definition was lost; starting it makes one with all its NICs
            document = write(interface(self.plan(spec, folder), nic))
            for live in _places(domain):
                if _nic(domain, nic.mac, live=live) is None:
                    domain.attach(document, live=live)

    def detach_nic(self, uuid: str, mac: str) -> None:
        with self.locks.hold(uuid):
            domain = self.find(uuid)
            if domain is None:
                return
            for live in _places(domain):
                self.pull(domain, partial(_nic, domain, mac), live=live)

    def connector(self) -> Mapping[str, Any]:
        """Ceph and local volumes ask for no more than the host's name and address."""
        return {
            "host": self.options.host,
            "ip": self.options.address,
            "multipath": False,
            "platform": self.arch,
            "os_type": sys.platform,
            "do_local_attach": False,
        }

    def attach_volume(self, spec: GuestSpec, volume: VolumeDisk) -> None:
        with self.locks.hold(spec.uuid):
            folder = self.storage.folder(spec.uuid)
            domain = self.find(spec.uuid)
            self.power_of(domain, folder, spec.uuid)
            document = write(volume_disk(self.plan(spec, folder), volume))
            if domain is None:
                return  # as with NICs
            for live in _places(domain):
                if _disk(domain, volume, live=live) is None:
                    domain.attach(document, live=live)

    def detach_volume(self, uuid: str, volume: VolumeDisk) -> None:
        with self.locks.hold(uuid):
            domain = self.find(uuid)
            if domain is None:
                return
            for live in _places(domain):
                self.pull(domain, partial(_disk, domain, volume), live=live)

    def swap_volume(self, uuid: str, old: VolumeDisk, new: VolumeDisk) -> None:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            document = _disk(domain, old, live=domain.active())
            if document is None:
                raise HypervisorFailed(call="swap volume", host=self.options.host, reason="the guest has no such disk")
            disk = read(xml.Disk, document)
            source, kind = source_of(self.options, new)
            if source == disk.source:
                return  # done by an earlier call
            if domain.active():
                domain.copy_over(dev_of(old), write(xml.CopyTarget(type=kind, source=source, driver=disk.driver)))

    def extend_volume(self, uuid: str, volume: VolumeDisk, size_gb: int) -> None:
        with self.locks.hold(uuid):
            domain = self.need(uuid)
            if domain.active():
                domain.resize(dev_of(volume), size_gb << 30)

    def pull(self, domain: LiveDomain, find: Callable[..., str | None], *, live: bool) -> None:
        """Detach the device whose document ``find`` gives, until it gives none any more.

        A running guest must let go by itself, and one that is still booting does not hear the first request.
        Raises HypervisorFailed when ``[libvirt] device_detach_attempts`` requests were in vain.
        """
        options = self.options.libvirt
        for _attempt in range(options.device_detach_attempts):
            document = find(live=live)
            if document is None:
                return
            domain.detach(document, live=live)
            ends = self.clock.monotonic() + options.device_detach_timeout
            while find(live=live) is not None and self.clock.monotonic() < ends:
                self.clock.sleep(_POLL_S)
        if find(live=live) is not None:
            reason = "the guest does not let go of the device"
            raise HypervisorFailed(call="detach", host=self.options.host, reason=reason)


def _places(domain: LiveDomain) -> tuple[bool, ...]:
    """Where a change must be made: in the running guest, if it runs, and in what the next start uses."""
    return (True, False) if domain.active() else (False,)


def _disk(domain: LiveDomain, volume: VolumeDisk, *, live: bool) -> str | None:
    """By its name: the serial number of a volume that took another's place is still the other's."""
    found = read(xml.Domain, domain.document(inactive=not live))
    for disk in found.devices.disks:
        if disk.target.dev == dev_of(volume):
            return write(disk)
    return None


def _nic(domain: LiveDomain, mac: str, *, live: bool) -> str | None:
    found = read(xml.Domain, domain.document(inactive=not live))
    for nic in found.devices.interfaces:
        if nic.mac is not None and nic.mac.address == mac:
            return write(nic)
    return None
