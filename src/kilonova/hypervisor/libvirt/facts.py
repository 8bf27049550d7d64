"""The host as Placement and the hypervisors API show it, and the guests on it."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from kilonova.hypervisor.contracts import GuestState, NodeFacts
from kilonova.hypervisor.libvirt import traits
from kilonova.hypervisor.libvirt.builders.cpu import model
from kilonova.hypervisor.libvirt.connection import DomainGone, LiveDomain
from kilonova.hypervisor.libvirt.consoles import bound
from kilonova.hypervisor.libvirt.ground import Ground
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml import host as host_xml
from kilonova.hypervisor.libvirt.xml.tree import read, write

_GIB = 1024**3
_KIB_PER_MIB = 1024
_DAY_S, _HOUR_S, _MINUTE_S = 86400, 3600, 60


class NodeReporter(Ground):
    """Implements ``contracts.Host``."""

    def nodes(self) -> tuple[NodeFacts, ...]:
        """One node, this host."""
        capabilities = read(host_xml.Capabilities, self.connection.capabilities())
        vcpus, memory_mb = self.connection.host_info()
        self.options.instances.mkdir(mode=0o755, parents=True, exist_ok=True)
        disk = shutil.disk_usage(self.options.instances)
        active = [count for count in map(_vcpus, self.connection.domains()) if count]
        node = NodeFacts(
            name=self.options.host,
            uuid=compute_id(self.options.state_path),
            hypervisor_type="QEMU",
            hypervisor_version=self.connection.version(),
            host_ip=self.options.address,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_gb=disk.total // _GIB,
            free_disk_gb=disk.free // _GIB,
            vcpus_used=sum(active),
            memory_used_mb=memory_used_mb(Path("/proc/meminfo").read_text()),
            disk_used_gb=disk.used // _GIB,
            running_guests=len(active),
            cpu_info=_cpu_info(capabilities.host.cpu),
            supported=_supported(capabilities.guests),
            traits=self._traits(),
            uptime=uptime(time.localtime(), Path("/proc/uptime").read_text(), os.getloadavg()),
        )
        return (node,)

    def guests(self) -> tuple[GuestState, ...]:
        found = []
        for domain in self.connection.domains():
            with contextlib.suppress(DomainGone):
                if self.note(domain):
                    found.append(self.state_of(domain))
                    bound(self.storage.folder(domain.uuid).console_log)
        return tuple(found)

    def _traits(self) -> tuple[str, ...]:
        virt_type, machine = self.options.libvirt.virt_type, self.options.machine(self.arch)
        document = self.connection.domain_capabilities(self.arch, machine, virt_type)
        capabilities = read(host_xml.DomainCapabilities, document)
        return traits.of_host(self.arch, capabilities, self._cpu_features(capabilities))

    def _cpu_features(self, capabilities: host_xml.DomainCapabilities) -> frozenset[str]:
        """Names of the features every guest's CPU has."""
        guest_cpu = traits.guest_cpu(self.arch, model(self.options), capabilities)
        if guest_cpu is None:
            return frozenset()
        expanded = self.connection.expand_cpu(self.arch, self.options.libvirt.virt_type, write(guest_cpu))
        found = read(xml.Cpu, expanded).features
        return frozenset(feature.name for feature in found if feature.policy != "disable")


def _vcpus(domain: LiveDomain) -> int:
    try:
        return domain.vcpus()
    except DomainGone:
        return 0


def _cpu_info(cpu: host_xml.HostCpu) -> dict[str, Any]:
    topology = cpu.topology
    return {
        "arch": cpu.arch,
        "model": cpu.model,
        "vendor": cpu.vendor,
        "features": sorted(feature.name for feature in cpu.features),
        "topology": {"sockets": topology.sockets, "cores": topology.cores, "threads": topology.threads},
    }


def _supported(guests: Iterable[host_xml.GuestKind]) -> tuple[tuple[str, str, str], ...]:
    return tuple((guest.arch.name, domain.type, guest.os_type) for guest in guests for domain in guest.arch.domains)


def compute_id(state_path: Path) -> str:
    """The node's UUID from ``compute_id``; made at the first start and the same ever after."""
    path = state_path / "compute_id"
    with contextlib.suppress(FileNotFoundError):
        return str(UUID(path.read_text().strip()))
    state_path.mkdir(parents=True, exist_ok=True)
    made = str(uuid4())
    part = path.with_suffix(".part")
    part.write_text(made + "\n")
    part.rename(path)
    return made


def memory_used_mb(meminfo: str) -> int:
    """Memory that is not available for new use, from the text of ``/proc/meminfo``."""
    values = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0])
    return (values["MemTotal"] - values["MemAvailable"]) // _KIB_PER_MIB


def uptime(now: time.struct_time, text: str, load: tuple[float, float, float]) -> str:
    """The line ``uptime`` prints; the hypervisors API takes it apart again."""
    seconds = int(float(text.split(maxsplit=1)[0]))
    days, rest = divmod(seconds, _DAY_S)
    clock = f"{rest // _HOUR_S}:{rest % _HOUR_S // _MINUTE_S:02d}"
    up = f"{days} day{'s' if days > 1 else ''}, {clock}" if days else clock
    averages = ", ".join(f"{value:.2f}" for value in load)
    return f" {time.strftime('%H:%M:%S', now)} up {up},  0 users,  load average: {averages}"
