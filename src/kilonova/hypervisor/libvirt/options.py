"""Options of the libvirt driver, with upstream's names, sections and defaults."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kilonova.kit.options import opt


@dataclass(frozen=True, kw_only=True)
class LibvirtOptions:
    """Section ``[libvirt]``."""

    GROUP: ClassVar[str] = "libvirt"
    virt_type: str = opt("kvm", "domain type: kvm, or qemu for emulation", choices=["kvm", "qemu"])
    connection_uri: str | None = opt(None, "libvirt URI; empty means qemu:///system")
    cpu_mode: str | None = opt(
        None,
        "CPU of guests; empty means host-model with kvm and none with qemu",
        choices=["host-model", "host-passthrough", "custom", "none"],
    )
    cpu_models: list[str] = opt([], "CPU models for custom mode, the first one is used")
    cpu_model_extra_flags: list[str] = opt([], "CPU flags added (+flag or flag) or removed (-flag)")
    hw_machine_type: list[str] = opt([], "machine type per architecture, as x86_64=q35")
    images_type: str = opt("default", "how guest disks are stored", choices=["default", "qcow2", "raw", "flat"])
    disk_cachemodes: list[str] = opt([], "cache mode per disk type, as file=none")
    hw_disk_discard: str | None = opt(None, "discard mode of guest disks", choices=["ignore", "unmap"])
    rescue_image_id: str | None = opt(None, "image that servers are rescued from when their users choose none")
    rescue_kernel_id: str | None = opt(None, "kernel for rescue images that come without their own boot loader")
    rescue_ramdisk_id: str | None = opt(None, "ramdisk to that kernel")
    rng_dev_path: str = opt("/dev/urandom", "source of entropy for guests")
    mem_stats_period_seconds: int = opt(10, "seconds between memory statistics, 0 turns them off")
    snapshot_compression: bool = opt(default=False, help_text="compress qcow2 snapshots")
    snapshots_directory: str = opt("$instances_path/snapshots", "where snapshots are staged")
    tb_cache_size: int | None = opt(None, "QEMU translation cache in MiB (virt_type qemu)", min=0)
    images_cpu_time_limit: int = opt(30, "CPU seconds for looking at one image")
    images_address_space_limit: int = opt(2, "GiB of address space for looking at one image")
    wait_soft_reboot_seconds: int = opt(120, "seconds soft reboot may take before it becomes hard")
    device_detach_attempts: int = opt(8, "requests to a guest to let go of a device", min=1)
    device_detach_timeout: int = opt(20, "seconds between such requests", min=1)
    rbd_user: str | None = opt(None, "Ceph user for volumes whose connection names no secret")
    rbd_secret_uuid: str | None = opt(None, "UUID of the libvirt secret with that user's key")
    migration_inbound_addr: str | None = opt(None, "address for disks of cold migrations; empty means my_ip")
    remote_filesystem_transport: str = opt("ssh", "how disks get to another host", choices=["ssh", "rsync"])
    live_migration_uri: str | None = opt(None, "libvirt URI of a destination, %s is its name or address")
    live_migration_scheme: str | None = opt(None, "transport of that URI when it is not set; empty means tcp")
    live_migration_inbound_addr: str | None = opt(None, "address by which others migrate to this host")
    live_migration_tunnelled: bool = opt(False, "tunnel through libvirtd")
    live_migration_with_native_tls: bool = opt(False, "QEMU's own TLS")
    live_migration_bandwidth: int = opt(0, "MiB/s at most, 0 is no limit", min=0)
    live_migration_downtime: int = opt(500, "milliseconds of the last pause at most", min=100)
    live_migration_downtime_steps: int = opt(10, "steps up to that", min=3)
    live_migration_downtime_delay: int = opt(75, "seconds per step and GiB", min=3)
    live_migration_completion_timeout: int = opt(800, "seconds per GiB before the action; 0 never", min=0)
    live_migration_timeout_action: str = opt("abort", "what happens then", choices=["abort", "force_complete"])
    live_migration_permit_post_copy: bool = opt(False, "force to complete by post-copy, not by a pause")
    live_migration_permit_auto_converge: bool = opt(False, "throttle guests that change memory too fast")
    live_migration_parallel_connections: int = opt(1, "connections of one migration", min=1)
    live_migration_monitor_interval: int = opt(5, "seconds between progress records", min=1)
    rx_queue_size: int | None = opt(None, "virtio receive queue", choices=[256, 512, 1024])
    tx_queue_size: int | None = opt(None, "virtio transmit queue", choices=[256, 512, 1024])


@dataclass(frozen=True, kw_only=True)
class GuestDisplayOptions:
    """The part of section ``[vnc]`` that a compute host reads."""

    GROUP: ClassVar[str] = "vnc"
    enabled: bool = opt(default=True, help_text="offer VNC consoles")
    server_listen: str = opt("127.0.0.1", "address the guests' VNC servers bind")
    server_proxyclient_address: str = opt("127.0.0.1", "address by which the console proxy reaches them")


@dataclass(frozen=True, kw_only=True)
class SpiceOptions:
    """The part of section ``[spice]`` that a compute host reads."""

    GROUP: ClassVar[str] = "spice"
    enabled: bool = opt(default=False, help_text="offer SPICE consoles")
    agent_enabled: bool = opt(default=True, help_text="give guests a channel to the SPICE agent")
    server_listen: str = opt("127.0.0.1", "address the guests' SPICE servers bind")
    server_proxyclient_address: str = opt("127.0.0.1", "address by which the console proxy reaches them")
    image_compression: str | None = opt(None, "of images", choices=["auto_glz", "auto_lz", "quic", "glz", "lz", "off"])
    jpeg_compression: str | None = opt(None, "lossy, for slow links", choices=["auto", "never", "always"])
    zlib_compression: str | None = opt(None, "of images over slow links", choices=["auto", "never", "always"])
    playback_compression: bool | None = opt(None, "compress sound")
    streaming_mode: str | None = opt(None, "what is taken for video", choices=["filter", "all", "off"])
    require_secure: bool = opt(default=False, help_text="clients have to use TLS, which the HTML5 proxy does not")


@dataclass(frozen=True, kw_only=True)
class SerialOptions:
    """The part of section ``[serial_console]`` that a compute host reads."""

    GROUP: ClassVar[str] = "serial_console"
    enabled: bool = opt(default=False, help_text="offer serial consoles")
    port_range: str = opt("10000:20000", "TCP ports of guests' serial consoles, as first:last")
    proxyclient_address: str = opt("127.0.0.1", "address the guests' serial consoles bind and the proxy reaches")


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """The part of section ``[DEFAULT]`` that says where and how guests are stored."""

    GROUP: ClassVar[str] = "DEFAULT"
    instances_path: str = opt("$state_path/instances", "directory of guests' disks")
    force_raw_images: bool = opt(default=True, help_text="convert cached images to raw")
    default_ephemeral_format: str | None = opt(
        None, "file system on ephemeral disks; empty means ext4", choices=["ext2", "ext3", "ext4"]
    )
    max_concurrent_live_migrations: int = opt(1, "live migrations from this host at once; 0 is no limit", min=0)
    pointer_model: str | None = opt("usbtablet", "pointer device of guests", choices=["ps2mouse", "usbtablet"])


@dataclass(frozen=True, kw_only=True)
class ImageCacheOptions:
    """Section ``[image_cache]``, as far as the cache itself reads it."""

    GROUP: ClassVar[str] = "image_cache"
    subdirectory_name: str = opt("_base", "folder of the cache under instances_path")
    remove_unused_base_images: bool = opt(default=True, help_text="delete images no guest uses")
    remove_unused_original_minimum_age_seconds: int = opt(86400, "least seconds since an image was last used")


@dataclass(frozen=True, kw_only=True)
class ImageRules:
    """The part of section ``[compute]`` that is about images."""

    GROUP: ClassVar[str] = "compute"
    vmdk_allowed_types: list[str] = opt(["streamOptimized", "monolithicSparse"], "kinds of VMDK that guests start from")


@dataclass(frozen=True, kw_only=True)
class DriverOptions:
    """All sections the driver reads, and the host it runs on."""

    host: str
    """Name of this compute host; also the node's hypervisor_hostname."""
    address: str
    """Management address of this host (``my_ip``)."""
    state_path: Path
    """Holds ``compute_id``, the node's UUID, made at first start."""
    libvirt: LibvirtOptions
    vnc: GuestDisplayOptions
    storage: StorageOptions
    image_cache: ImageCacheOptions = ImageCacheOptions()
    spice: SpiceOptions = SpiceOptions()
    serial: SerialOptions = SerialOptions()
    image_rules: ImageRules = ImageRules()

    @property
    def uri(self) -> str:
        return self.libvirt.connection_uri or "qemu:///system"

    @property
    def instances(self) -> Path:
        return Path(self.storage.instances_path.replace("$state_path", str(self.state_path)))

    @property
    def mounts(self) -> Path:
        """Where shares are mounted."""
        return self.state_path / "mnt"

    @property
    def base(self) -> Path:
        """The image cache."""
        return self.instances / self.image_cache.subdirectory_name

    @property
    def snapshots(self) -> Path:
        return Path(self.libvirt.snapshots_directory.replace("$instances_path", str(self.instances)))

    @property
    def cpu_mode(self) -> str:
        return self.libvirt.cpu_mode or ("host-model" if self.libvirt.virt_type == "kvm" else "none")

    def machine(self, arch: str) -> str:
        """Machine type for ``arch``: configured, else ``pc`` on x86 (its IDE CD needs no AHCI), else ``virt``."""
        pairs = dict(item.partition("=")[::2] for item in self.libvirt.hw_machine_type)
        return pairs.get(arch) or ("pc" if arch in {"x86_64", "i686"} else "virt")
