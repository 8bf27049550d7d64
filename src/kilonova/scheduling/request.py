"""What is asked for one choice of hosts: facts only, ready to be written as JSON with ``kit.codec``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MIB_PER_GIB = 1024


@dataclass(frozen=True)
class FlavorFacts:
    """The flavor as the server will have it. Units are in the names."""

    name: str
    vcpus: int
    memory_mb: int
    root_gb: int = 0
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageFacts:
    """The image, or the image facts a boot volume carries (then ``id`` may be None)."""

    id: str | None = None
    disk_format: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupFacts:
    """The server group asked for; a moving server is not counted among its members."""

    uuid: str
    policy: str
    max_server_per_host: int = 1
    hosts: Mapping[str, int] = field(default_factory=dict)
    """Host name to number of members there."""


@dataclass(frozen=True)
class ResourceGroup:
    """A request group of a port or device, which placement answers with one provider of the host's tree."""

    suffix: str
    resources: Mapping[str, int] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    aggregates: tuple[tuple[str, ...], ...] = ()
    """Each entry is a set of aggregate uuids of which one must hold the provider."""
    in_tree: str | None = None


@dataclass(frozen=True)
class ServerRequest:
    """One choice: ``count`` like servers, with whatever narrows or orders the hosts."""

    server_uuids: tuple[str, ...]
    project_id: str
    user_id: str
    flavor: FlavorFacts
    image: ImageFacts | None = None
    boot_from_volume: bool = False
    """The root disk is a volume and takes no space of the host."""
    availability_zone: str | None = None
    requested_host: str | None = None
    requested_node: str | None = None
    forced: bool = False
    """The requested host by-passes filters and weighers (the az:host:node form)."""
    hints: Mapping[str, list[str] | str] = field(default_factory=dict)
    group: GroupFacts | None = None
    resource_groups: tuple[ResourceGroup, ...] = ()
    same_subtree: tuple[tuple[str, ...], ...] = ()
    """Suffixes of groups whose providers share a subtree."""
    port_vnic_types: tuple[str, ...] = ()
    pci_devices: int = 0
    """How many PCI devices flavor and ports ask for."""
    ignore_hosts: frozenset[str] = frozenset()
    """Hosts the caller rules out (a moving server's own host)."""
    tried_hosts: frozenset[str] = frozenset()
    """Hosts earlier attempts failed on."""
    source_cell: str | None = None
    """Cell a moving server comes from; None for a new server."""

    @property
    def count(self) -> int:
        """How many hosts to choose."""
        return len(self.server_uuids)

    @property
    def disk_gb(self) -> int:
        """GiB of local disk, swap rounded up to whole GiB."""
        root = 0 if self.boot_from_volume else self.flavor.root_gb
        return root + self.flavor.ephemeral_gb + -(-self.flavor.swap_mb // MIB_PER_GIB)

    @property
    def image_properties(self) -> Mapping[str, Any]:
        """Properties of the image, empty without one."""
        return self.image.properties if self.image is not None else {}

    def hint_list(self, name: str) -> tuple[str, ...]:
        """Values of a hint that may be given as one string or a list; empty when absent."""
        value = self.hints.get(name)
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else tuple(value)

    def hint(self, name: str) -> str | None:
        """The only (or first) value of a hint."""
        values = self.hint_list(name)
        return values[0] if values else None
