"""What the driver's parts stand on: link, storage, locks, and how a guest of ours is found."""

import functools
import logging

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestMissing, GuestSpec, GuestState, Images
from kilonova.hypervisor.libvirt.builders.facets import build
from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.connection import Connection, DomainGone, LiveDomain
from kilonova.hypervisor.libvirt.folder import GuestFolder, Storage
from kilonova.hypervisor.libvirt.images.cache import ImageCache
from kilonova.hypervisor.libvirt.images.tools import DiskTool, SystemTools
from kilonova.hypervisor.libvirt.locks import KeyedLocks
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
        self.cache = ImageCache(options.base, images, self.tool, force_raw=options.storage.force_raw_images)
        self.storage = Storage(options, self.cache, self.tool)
        self.locks = KeyedLocks()

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

    def power_of(self, domain: LiveDomain | None, folder: GuestFolder, uuid: str) -> PowerState:
        """The power state; a guest whose definition was lost but whose disk is here is off.

        Raises GuestMissing when there is neither.
        """
        if domain is not None:
            return domain.power()
        if folder.root.exists():
            return PowerState.SHUTDOWN
        raise GuestMissing(uuid=uuid)

    def define(self, spec: GuestSpec, folder: GuestFolder) -> LiveDomain:
        """Define or redefine the guest from what is wanted and what is in its folder."""
        return self.connection.define(write(build(self.plan(spec, folder))))

    def plan(self, spec: GuestSpec, folder: GuestFolder) -> Plan:
        """What the guest's document is made from."""
        return Plan(
            spec=spec,
            options=self.options,
            arch=self.arch,
            disks=folder.disks(),
            console_log=folder.console_log,
            kernel=folder.kernel if folder.kernel.exists() else None,
            ramdisk=folder.ramdisk if folder.ramdisk.exists() else None,
        )
