"""What the driver's parts stand on: link, storage, locks, and how a guest of ours is found."""

import contextlib
import functools
import logging
import socket
import threading

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestMissing, GuestSpec, GuestState, HypervisorFailed, ImageFacts, Images
from kilonova.hypervisor.libvirt.builders.facets import build
from kilonova.hypervisor.libvirt.builders.plan import Plan, is_stable
from kilonova.hypervisor.libvirt.connection import Connection, DomainGone, LiveDomain
from kilonova.hypervisor.libvirt.folder import GuestFolder, Storage
from kilonova.hypervisor.libvirt.images.cache import ImageCache
from kilonova.hypervisor.libvirt.images.tools import DiskTool, SystemTools
from kilonova.hypervisor.libvirt.locks import KeyedLocks
from kilonova.hypervisor.libvirt.mounts import Mounter, NfsMounter, Shares
from kilonova.hypervisor.libvirt.options import DriverOptions
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml import host as host_xml
from kilonova.hypervisor.libvirt.xml.tree import read, write
from kilonova.kit.clock import Clock, SystemClock

LOG = logging.getLogger(__name__)


class Ground:
    """Base of the driver's parts."""

    def __init__(
        self,
        options: DriverOptions,
        images: Images,
        *,
        tool: DiskTool | None = None,
        clock: Clock | None = None,
        mounter: Mounter | None = None,
    ) -> None:
        limits = options.libvirt
        self.options = options
        self.images = images
        self.tool: DiskTool = tool or SystemTools(
            options.host,
            cpu_seconds=limits.images_cpu_time_limit,
            address_space_gib=limits.images_address_space_limit,
        )
        self.clock: Clock = clock or SystemClock()
        self.connection = Connection(options.uri, options.host)
        self.cache = ImageCache(
            options.base,
            images,
            self.tool,
            force_raw=options.storage.force_raw_images,
            vmdk=options.image_rules.vmdk_allowed_types,
        )
        self.storage = Storage(options, self.cache, self.tool)
        self.shares = Shares(options.mounts, mounter or NfsMounter(options.host))
        self.locks = KeyedLocks()
        self._ports_lock = threading.Lock()

    @functools.cached_property
    def arch(self) -> str:
        """The host's architecture, in libvirt's word."""
        return read(host_xml.Capabilities, self.connection.capabilities()).host.cpu.arch

    def find(self, uuid: str) -> LiveDomain | None:
        """The guest's domain, if this service made it; a stranger's domain is as good as none."""
        domain = self.connection.find(uuid)
        return domain if domain and self.note(domain) else None

    def need(self, uuid: str) -> LiveDomain:
        """Like ``find``; raises GuestMissing."""
        domain = self.find(uuid)
        if domain is None:
            raise GuestMissing(uuid=uuid)
        return domain

    def note(self, domain: LiveDomain) -> xml.GuestNote | None:
        """What we wrote into the domain when we made it; None for a stranger's."""
        try:
            found = read(xml.Marked, domain.document(inactive=True))
        except DomainGone:
            return None
        return found.metadata.guest if found.metadata else None

    def state_of(self, domain: LiveDomain) -> GuestState:
        return GuestState(uuid=domain.uuid, name=domain.name, power=domain.power())

    def recall(self, uuid: str) -> None:
        """A guest that was set aside for a move that failed is found again."""
        folder, aside = self.storage.folder(uuid), self.storage.aside(uuid)
        if aside.path.exists() and not folder.path.exists():
            aside.path.rename(folder.path)

    def power_of(self, domain: LiveDomain | None, folder: GuestFolder, uuid: str) -> PowerState:
        """The power state; a guest whose definition was lost but whose folder is here is off.

        Raises GuestMissing when there is neither.
        """
        if domain is not None:
            return domain.power()
        if folder.path.exists():
            return PowerState.SHUTDOWN
        raise GuestMissing(uuid=uuid)

    def define(self, spec: GuestSpec, folder: GuestFolder, rescue: ImageFacts | None = None) -> LiveDomain:
        """Define or redefine the guest from what is wanted and what is in its folder; its shares are mounted."""
        self.shares.mount(spec)
        with self._ports_lock:  # until it is defined, nobody else knows that a port is taken
            return self.connection.define(write(build(self.plan(spec, folder, rescue))))

    def plan(self, spec: GuestSpec, folder: GuestFolder, rescue: ImageFacts | None = None) -> Plan:
        """What the guest's document is made from."""
        kernel = folder.rescue_kernel if rescue and not is_stable(rescue) else folder.kernel
        ramdisk = folder.rescue_ramdisk if rescue and not is_stable(rescue) else folder.ramdisk
        return Plan(
            spec=spec,
            options=self.options,
            arch=self.arch,
            disks=folder.disks(rescue),
            console_log=folder.console_log,
            kernel=kernel if kernel.exists() else None,
            ramdisk=ramdisk if ramdisk.exists() else None,
            rescue=rescue,
            serial_port=self._serial_port(spec.uuid) if self.options.serial.enabled else None,
        )

    def _serial_port(self, uuid: str) -> int:
        """The port the guest has, else the first that no guest and nobody else has. Raises HypervisorFailed."""
        taken: dict[int, str] = {}
        for domain in self.connection.domains():
            with contextlib.suppress(DomainGone):
                taken |= dict.fromkeys(serial_ports(domain), domain.uuid)
        mine = [port for port, owner in taken.items() if owner == uuid]
        if mine:
            return mine[0]
        first, _, last = self.options.serial.port_range.partition(":")
        for port in range(int(first), int(last) + 1):
            if port not in taken and _is_free(self.options.serial.proxyclient_address, port):
                return port
        reason = f"no TCP port of [serial_console] port_range {self.options.serial.port_range} is free"
        raise HypervisorFailed(call="define", host=self.options.host, reason=reason)


def serial_ports(domain: LiveDomain) -> list[int]:
    """TCP ports of a domain's serial consoles."""
    found = read(xml.Domain, domain.document()).devices.serials
    return [port.source.service for port in found if port.source and port.source.service]


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
