"""What a hypervisor driver offers a compute host, and the facts that cross the bus.

Every call may be repeated: it finds what an earlier one left and goes on from there. Every value is a
frozen dataclass of JSON types, so that the same call works in one process and over a broker.
A driver implements the protocols it can; a capability is the fact of implementing one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kilonova.domain.power import PowerState
from kilonova.kit.errors import Conflict, KilonovaError, NotFound, Unavailable, Unsupported

Progress = Callable[[str], None]
"""Told a short sentence at each stage of long work (image download, disk creation …)."""


class GuestMissing(NotFound):
    """The host has no guest with this UUID."""

    template = "This host has no guest {uuid}"


class GuestBusy(Conflict):
    """The guest's power state does not allow the call."""

    template = "Guest {uuid} is {state}; {call} needs it {wanted}"


class HypervisorFailed(KilonovaError):
    """The hypervisor refused or broke; ``reason`` is its own word for it."""

    template = "{call} failed on {host}: {reason}"


class HypervisorUnavailable(Unavailable):
    """The hypervisor's daemon does not answer."""

    template = "The hypervisor on {host} does not answer: {reason}"


class CannotMove(Conflict):
    """The guest cannot be moved as wished."""

    template = "Guest {uuid} cannot be moved to {host}: {reason}"


class NoSuchConsole(Unsupported):
    """The guest has no console of the kind."""

    template = "Guests on this host have no {kind} console"


class NoGuestAgent(Conflict):
    """The guest has no channel to an agent (image property ``hw_qemu_guest_agent``)."""

    template = "Guest {uuid} has no guest agent"


class AgentSilent(Unsupported):
    """There is a channel, but nobody at its other end."""

    template = "The agent of guest {uuid} does not answer: {reason}"


class InvalidImage(HypervisorFailed):
    """The image cannot be used: not what its format says, bigger than the disk, unsafe backing file."""

    template = "Image {image_id} cannot be used: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One subnet of a fixed address, as the guest's network configuration needs it."""

    cidr: str
    version: int
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    dhcp: bool = True
    routes: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedIp:
    """An address of a port and the subnet it is from."""

    address: str
    subnet: Subnet


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A bound Neutron port, ready to be plugged (port binding extension: vif_type, vif_details)."""

    port_id: str
    mac: str
    network_id: str
    label: str
    """Network name."""
    vif_type: str
    """``bridge``, ``ovs``, ``tap`` …; ``unbound`` and ``binding_failed`` are never sent to a host."""
    devname: str
    """Tap device name, at most 14 characters."""
    bridge: str | None = None
    mtu: int | None = None
    vnic_type: str = "normal"
    fixed_ips: tuple[FixedIp, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What Glance says about the image a guest starts from."""

    id: str
    """Empty when the guest starts from a volume: the other facts are those of the image on it."""
    disk_format: str
    size: int
    """Bytes."""
    min_disk_gb: int = 0
    checksum: str | None = None
    """``os_hash_value`` prefixed by its algorithm (``sha512:…``), or None when Glance gave none."""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDisk:
    """A volume of the volume service, attached for this host, as a disk of a guest."""

    volume_id: str
    connection: Mapping[str, Any]
    """``driver_volume_type`` and ``data`` as the volume service gave them for this host's connector."""
    device_name: str
    """``/dev/vdb``."""
    boot_index: int | None = None
    """0: the guest's root disk."""
    bus: str | None = None
    device_type: str | None = None
    """``disk``, ``cdrom`` …."""
    tag: str | None = None
    multiattach: bool = False
    """Other guests may have it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestShare:
    """A file system of the share service, which the host mounts and the guest sees."""

    share_id: str
    tag: str
    """By which the guest mounts it."""
    export: str
    """``10.0.0.50:/mnt/foo``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSpec:
    """Everything a host needs to make, remake or start a guest."""

    uuid: str
    name: str
    """The hypervisor's name of the guest (``OS-EXT-SRV-ATTR:instance_name``)."""
    display_name: str
    project_id: str
    user_id: str
    flavor_name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    """0 means the image's own size."""
    ephemerals_gb: tuple[int, ...] = ()
    """Local disks that start empty, one by one."""
    swap_mb: int = 0
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    image: ImageFacts | None = None
    nics: tuple[Nic, ...] = ()
    volumes: tuple[VolumeDisk, ...] = ()
    shares: tuple[GuestShare, ...] = ()
    config_drive: Mapping[str, str] | None = None
    """Files of the config drive, path → base64 content; None means no drive."""
    node: str | None = None
    """Hypervisor host name within the service (drivers with many nodes)."""
    held: bool = False
    """Made or brought here, it starts paused: somebody unpauses it once its NICs are wired."""

    @property
    def boots_from_volume(self) -> bool:
        """The root disk is a volume: there is no local one."""
        return any(volume.boot_index == 0 for volume in self.volumes)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestState:
    """What a host says about one of its guests."""

    uuid: str
    name: str
    power: PowerState
    machine: str | None = None
    """Of a guest that was just made: the machine type it got, where there are such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One node as Placement and the hypervisors API show it."""

    name: str
    """hypervisor_hostname."""
    uuid: str
    hypervisor_type: str
    """``QEMU``, ``fake`` …."""
    hypervisor_version: int
    """major * 1_000_000 + minor * 1_000 + micro."""
    host_ip: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    free_disk_gb: int
    vcpus_used: int = 0
    memory_used_mb: int = 0
    disk_used_gb: int = 0
    running_guests: int = 0
    cpu_info: Mapping[str, Any] = field(default_factory=dict)
    """arch, model, vendor, features, topology."""
    supported: tuple[tuple[str, str, str], ...] = ()
    """(architecture, hypervisor type, vm mode) triples."""
    traits: tuple[str, ...] = ()
    uptime: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What ``compute_monitors`` measure: name to value, shares of time between 0 and 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleEndpoint:
    """Where a console proxy connects to."""

    kind: str
    """``novnc``, ``serial``, ``spice-html5``."""
    host: str
    port: int
    tls_port: int | None = None
    internal_access_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """One virtual CPU's counters; None where unknown, here and below."""

    id: int
    time: int | None = None
    """Nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """One disk's counters."""

    device: str
    volume_id: str | None = None
    """The volume behind it, if it is one."""
    read_bytes: int | None = None
    read_requests: int | None = None
    write_bytes: int | None = None
    write_requests: int | None = None
    errors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicUse:
    """One NIC's counters."""

    device: str
    mac: str
    rx_octets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    rx_packets: int | None = None
    tx_octets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None
    tx_packets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """What a guest does at this moment."""

    driver: str
    """``libvirt``, ``fake`` …."""
    hypervisor: str
    """``kvm``, ``qemu`` …."""
    power: PowerState
    memory_max_mb: int
    memory_used_mb: int | None = None
    cpus: tuple[CpuUse, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    nics: tuple[NicUse, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    """Further figures of memory by the hypervisor's own names, in KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Berth:
    """Where a guest that moves to a host puts its disks, as that host says."""

    host: str
    address: str
    """By which the source reaches it (``migration_inbound_addr``)."""
    path: str
    """The host's directory of guests."""
    probe: str
    """Name of a file just made in ``path``: whoever sees it shares the storage."""
    live_address: str | None = None
    """By which the source's hypervisor reaches it (``live_migration_inbound_addr``)."""
    version: int = 0
    """Of the hypervisor, as in NodeFacts."""
    free_bytes: int = 0
    """Room in ``path``."""
    arch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlan:
    """How a running guest will be sent, as its source found it possible."""

    berth: Berth
    block: bool
    """Disks are copied, too."""
    paused: bool = False
    """The guest is paused, and shall be so on the destination."""
    disks: Mapping[str, int] = field(default_factory=dict)
    """Files of the guest's folder that have to exist on the destination → bytes."""


Report = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Told the counters of a live migration now and then (``memory_total`` …); answers ``cancel`` and ``force``."""


@runtime_checkable
class Images(Protocol):
    """Image bytes, given to a driver by whoever wires it (Glance in production)."""

    def download(self, image_id: str, target: Path) -> None:
        """Write the image's data to ``target``; raises NotFound when Glance has none."""

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        """Store ``source`` as the data of the queued image ``image_id``."""


@runtime_checkable
class Host(Protocol):
    """The host as a whole."""

    def nodes(self) -> tuple[NodeFacts, ...]:
        """Capacity and facts of every node; reread at each call."""

    def guests(self) -> tuple[GuestState, ...]:
        """Every guest this service made, running or not."""


@runtime_checkable
class Lifecycle(Protocol):
    """Telling of guests that change by themselves; a driver may do without."""

    def watch(self, tell: Callable[[str], None]) -> None:
        """From here on ``tell(uuid)`` is called, in a thread of the driver's, when a guest stops, crashes or pauses.

        Also when the host itself was asked to do that. What was missed while the hypervisor was away is not made up.
        """


@runtime_checkable
class HostControl(Protocol):
    """Switching whole hosts; a driver may do without."""

    def maintenance(self, *, on: bool) -> str:
        """``on_maintenance`` or ``off_maintenance``."""

    def host_power(self, action: str) -> str:
        """``startup``, ``shutdown`` or ``reboot``; returns it."""


@runtime_checkable
class ImageCaching(Protocol):
    """Keeping images before a guest needs them; a driver may do without."""

    def cache_image(self, image: ImageFacts, progress: Progress) -> bool:
        """False when it was there already. Raises InvalidImage, NotFound."""


@runtime_checkable
class Guests(Protocol):
    """Making and unmaking guests."""

    def create(self, spec: GuestSpec, progress: Progress) -> GuestState:
        """Make disks, plug NICs, define and start the guest; returns it running, or paused if it is held.

        On failure nothing of the guest stays on the host. Raises InvalidImage, HypervisorFailed.
        """

    def destroy(self, uuid: str) -> None:
        """Remove guest, disks, NICs, logs and console; silently done when there is none."""

    def rebuild(self, spec: GuestSpec, *, keep_ephemeral: bool, progress: Progress) -> GuestState:
        """New disks from ``spec`` (and its image) in the place of the old ones, then running.

        A guest that is missing is made. Nothing is removed before the image is at hand; after a failure the guest
        is off, or gone. Raises InvalidImage, HypervisorFailed.
        """

    def state(self, uuid: str) -> GuestState:
        """Raises GuestMissing."""


@runtime_checkable
class Power(Protocol):
    """Power states; each returns the state reached. All raise GuestMissing, GuestBusy, HypervisorFailed."""

    def start(self, spec: GuestSpec) -> GuestState:
        """Running; redefines the guest from ``spec`` (new NICs, changed bridge) when it was off."""

    def stop(self, uuid: str, timeout: int) -> GuestState:
        """ACPI shutdown, destroyed after ``timeout`` seconds (0: at once); already off is fine."""

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> GuestState:
        """Soft: ACPI shutdown then start, hard after ``timeout``; hard: destroy, redefine, start."""

    def pause(self, uuid: str) -> GuestState: ...

    def unpause(self, uuid: str) -> GuestState: ...

    def suspend(self, uuid: str) -> GuestState:
        """Memory saved to disk."""

    def resume(self, spec: GuestSpec) -> GuestState: ...


@runtime_checkable
class Devices(Protocol):
    """Plugging into guests that exist, running or not. There already, or gone already, is fine."""

    def connector(self) -> Mapping[str, Any]:
        """How the volume service reaches this host: ``host``, ``ip``, ``initiator`` …."""

    def attach_volume(self, spec: GuestSpec, volume: VolumeDisk) -> None:
        """Raises GuestMissing, HypervisorFailed, Unsupported for a kind of connection the host cannot make."""

    def detach_volume(self, uuid: str, volume: VolumeDisk) -> None:
        """Returns when the guest has let go; without a guest, at once. Raises HypervisorFailed."""

    def swap_volume(self, uuid: str, old: VolumeDisk, new: VolumeDisk) -> None:
        """Copy ``old`` to ``new`` while the guest runs, and go on with that. Raises GuestMissing, HypervisorFailed."""

    def extend_volume(self, uuid: str, volume: VolumeDisk, size_gb: int) -> None:
        """Tell the guest that the volume has grown. Raises GuestMissing, HypervisorFailed."""

    def attach_nic(self, spec: GuestSpec, nic: Nic) -> None:
        """Raises GuestMissing, HypervisorFailed."""

    def detach_nic(self, uuid: str, mac: str) -> None:
        """Returns when the guest has let go; without a guest, at once. Raises HypervisorFailed."""


@runtime_checkable
class VolumeSnapshots(Protocol):
    """Snapshots of volumes that are files, for the volume service; a driver may do without.

    Both raise GuestMissing, GuestBusy, HypervisorFailed, Unsupported for a volume that is no file.
    """

    def snapshot_volume(self, uuid: str, volume: VolumeDisk, new_file: str) -> Mapping[str, Any]:
        """The guest writes to ``new_file``, a qcow2 beside the present file, from here on.

        Returns what is new in the data of the volume's connection.
        """

    def merge_volume(self, uuid: str, volume: VolumeDisk, top: str | None, into: str | None) -> Mapping[str, Any]:
        """Bring ``top`` into ``into``, files below the present one. Returns as above.

        Without ``into`` the present file takes up all that is above ``top`` (None: everything).
        """


@runtime_checkable
class Rescue(Protocol):
    """Booting a guest from something else, to repair it."""

    def rescue(self, spec: GuestSpec, image: ImageFacts, progress: Progress) -> GuestState:
        """Running from a disk made of ``image``, its own root disk beside it.

        With ``hw_rescue_device`` or ``hw_rescue_bus`` among the image's properties every disk stays where it is and
        the rescue disk comes besides. Raises GuestMissing, InvalidImage, HypervisorFailed.
        """

    def rescue_image(self) -> str | None:
        """Id of the image for guests whose users choose none (``rescue_image_id``); None: their own."""

    def unrescue(self, spec: GuestSpec) -> GuestState:
        """Running from its own disks again, the rescue disk gone. Raises GuestMissing, HypervisorFailed."""


@runtime_checkable
class Inside(Protocol):
    """Looking into a running guest and reaching its system. All raise GuestMissing, GuestBusy."""

    def diagnostics(self, uuid: str) -> Diagnostics: ...

    def inject_nmi(self, uuid: str) -> None:
        """A non-maskable interrupt, at which systems write a crash dump. Raises HypervisorFailed."""

    def set_password(self, uuid: str, user: str, password: str) -> None:
        """Through the guest's agent. Raises NoGuestAgent, AgentSilent, HypervisorFailed."""


@runtime_checkable
class Snapshots(Protocol):
    """Disks as images."""

    def snapshot(self, uuid: str, image_id: str, progress: Progress) -> None:
        """Upload the root disk as flat qcow2 to the queued image ``image_id``; the guest keeps its state."""


@runtime_checkable
class Moves(Protocol):
    """Moving guests that are switched off, and bringing up those of lost hosts. ``token`` names the move."""

    def berth(self, uuid: str, token: str) -> Berth:
        """On the destination: where the guest's disks go."""

    def give(self, spec: GuestSpec, berth: Berth, token: str, timeout: int) -> None:
        """On the source: switch off (after ``timeout`` seconds), set the guest aside, bring its disks to ``berth``.

        Raises GuestMissing, HypervisorFailed.
        """

    def take(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        """On the destination: the guest with the disks that came, made as large as ``spec`` says; on if ``power``."""

    def take_back(self, spec: GuestSpec, token: str, *, power: bool) -> GuestState:
        """On the source: the guest that was set aside as it was; one that never left is only switched on.

        Raises GuestMissing when there is neither.
        """

    def let_go(self, uuid: str) -> None:
        """On the source: forget what was set aside; nothing there is fine."""

    def abandon(self, uuid: str, token: str) -> None:
        """On the destination: remove what came with this move, and nothing else of the guest."""

    def kept(self) -> tuple[str, ...]:
        """Guests that are set aside here."""

    def revive(self, spec: GuestSpec, token: str, *, power: bool, progress: Progress) -> GuestState:
        """The guest of a lost host, from its disks where this host sees them, else from its image."""


@runtime_checkable
class LiveMoves(Protocol):
    """Moving guests that run."""

    def check(self, spec: GuestSpec, berth: Berth, *, block: bool | None, over_commit: bool) -> LivePlan:
        """On the source: how it can be done. Raises CannotMove with the reason when it cannot."""

    def prepare(self, spec: GuestSpec, token: str, plan: LivePlan, progress: Progress) -> None:
        """On the destination: folder, backing images and empty disks."""

    def send(self, spec: GuestSpec, token: str, plan: LivePlan, report: Report) -> None:
        """On the source, until the guest runs on the destination; ``spec`` is as it will be there.

        What fails leaves the guest running on the source. Raises Aborted when ``report`` says so.
        """

    def arrived(self, spec: GuestSpec, token: str, plan: LivePlan) -> GuestState:
        """On the destination, afterwards. Raises GuestMissing."""

    def leave(self, uuid: str, devices: tuple[str, ...]) -> None:
        """On the source, afterwards: files and tap devices go."""


@runtime_checkable
class Console(Protocol):
    """What a guest says, and where to talk to it."""

    def output(self, uuid: str, limit: int) -> bytes:
        """The last ``limit`` bytes of the serial log."""

    def endpoint(self, uuid: str, kind: str) -> ConsoleEndpoint:
        """Raises Unsupported for a kind the guest does not have."""


class Driver(Host, Guests, Power, Devices, Rescue, Inside, Snapshots, Moves, LiveMoves, Console, Protocol):
    """What every full driver is; the contract suite runs over this."""

    def close(self) -> None:
        """Let go of connections and files; guests run on."""
