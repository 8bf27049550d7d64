"""What the endpoints work with: one value, made by ``services`` and handed to every call as ``call.app``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.notices import Notices, Silent
from kilonova.kit.options import opt
from kilonova.kit.recent import Recent
from kilonova.store.cells import Store


@dataclass(frozen=True)
class ApiOptions:
    """``[api]``."""

    GROUP: ClassVar[str] = "api"
    auth_strategy: str = opt("keystone", "how requests are authenticated", choices=["keystone", "noauth2"])
    max_limit: int = opt(
        1000, "most items of one reply", min=0, deprecated_group="DEFAULT", deprecated_name="osapi_max_limit"
    )
    compute_link_prefix: str | None = opt(None, "URL prefix of links to compute resources")
    glance_link_prefix: str | None = opt(None, "URL prefix of links to images")
    enable_instance_password: bool = opt(True, "show adminPass in replies of create and rebuild")
    list_records_by_skipping_down_cells: bool = opt(True, "leave out cells that do not answer, or fail")
    instance_list_per_project_cells: bool = opt(False, "ask only cells in which the project has servers")
    use_forwarded_for: bool = opt(False, "trust X-Forwarded-For")


@dataclass(frozen=True)
class ComputeOptions:
    """``[DEFAULT]``, as far as the API uses it."""

    GROUP: ClassVar[str] = "DEFAULT"
    default_availability_zone: str = opt("nova", "zone of hosts that are in no aggregate with one")
    default_schedule_zone: str | None = opt(None, "zone of servers that ask for none")
    internal_service_availability_zone: str = opt("internal", "zone of services that are not compute hosts")
    instance_name_template: str = opt("instance-%08x", "hypervisor name of a server, from its database id")
    reclaim_instance_interval: int = opt(0, "seconds a deleted server can be restored; 0: deleted at once")
    password_length: int = opt(12, "length of generated admin passwords", min=0)
    service_down_time: int = opt(60, "seconds without a report after which a service is down")
    force_config_drive: bool = opt(False, "give every server a config drive")
    initial_cpu_allocation_ratio: float = opt(4.0, "VCPU allocation ratio of new providers")
    host: str = opt("", "name of this service's host")
    my_ip: str = opt("127.0.0.1", "this host's address")
    default_flavor: str | None = opt(None, "id of a default flavor")
    network_allocate_retries: int = opt(0, "attempts to allocate networks again", min=0)
    allow_resize_to_same_host: bool = opt(False, "a resize may stay on its host")
    instance_usage_audit_period: str = opt("month", "hour, day, month or year, with @offset if wanted")
    max_local_block_devices: int = opt(3, "local disks allowed per server, -1 no limit, 0 volumes only", min=-1)
    max_concurrent_snapshots: int = opt(5, "snapshots at once per host", min=0)


@dataclass(frozen=True)
class DiskOptions:
    """``[compute]``."""

    GROUP: ClassVar[str] = "compute"
    max_disk_devices_to_attach: int = opt(-1, "disks per server, -1 no limit", min=-1)


@dataclass(frozen=True)
class ConsoleUrlOptions:
    """``[vnc]``, as far as the URL of a console needs it."""

    GROUP: ClassVar[str] = "vnc"
    enabled: bool = opt(True, "offer VNC consoles")
    novncproxy_base_url: str = opt("http://127.0.0.1:6080/vnc_auto.html", "URL of the noVNC page as browsers reach it")


@dataclass(frozen=True)
class TokenOptions:
    """``[consoleauth]``."""

    GROUP: ClassVar[str] = "consoleauth"
    token_ttl: int = opt(600, "seconds a console token is valid", min=0)


@dataclass(frozen=True)
class SpiceUrlOptions:
    """``[spice]``, as far as the URL of a console needs it."""

    GROUP: ClassVar[str] = "spice"
    enabled: bool = opt(False, "offer SPICE consoles")
    html5proxy_base_url: str = opt("http://127.0.0.1:6082/spice_auto.html", "URL of the SPICE page for browsers")
    spice_direct_proxy_base_url: str = opt("http://127.0.0.1:13002/nova", "URL of a proxy for native SPICE clients")


@dataclass(frozen=True)
class SerialUrlOptions:
    """``[serial_console]``, as far as the URL of a console needs it."""

    GROUP: ClassVar[str] = "serial_console"
    enabled: bool = opt(False, "offer serial consoles")
    base_url: str = opt("ws://127.0.0.1:6083/", "URL of the serial proxy as clients reach it")


@dataclass(frozen=True)
class MksUrlOptions:
    """``[mks]``."""

    GROUP: ClassVar[str] = "mks"
    enabled: bool = opt(False, "offer MKS consoles")
    mksproxy_base_url: str = opt("http://127.0.0.1:6090/", "URL of the MKS proxy")


@dataclass(frozen=True)
class ConsoleUrls:
    """Makes the URLs that users open."""

    vnc: ConsoleUrlOptions = field(default_factory=ConsoleUrlOptions)
    tokens: TokenOptions = field(default_factory=TokenOptions)
    spice: SpiceUrlOptions = field(default_factory=SpiceUrlOptions)
    serial: SerialUrlOptions = field(default_factory=SerialUrlOptions)
    mks: MksUrlOptions = field(default_factory=MksUrlOptions)

    @property
    def token_ttl(self) -> int:
        """Seconds a token is valid."""
        return self.tokens.token_ttl

    def base_url(self, kind: str) -> str | None:
        """The page for a kind of console; None when it is not offered."""
        offered = {
            "novnc": (self.vnc.enabled, self.vnc.novncproxy_base_url),
            "spice-html5": (self.spice.enabled, self.spice.html5proxy_base_url),
            "spice-direct": (self.spice.enabled, self.spice.spice_direct_proxy_base_url),
            "serial": (self.serial.enabled, self.serial.base_url),
            "webmks": (self.mks.enabled, self.mks.mksproxy_base_url),
        }
        enabled, url = offered.get(kind, (False, None))
        return url if enabled else None

    def url(self, kind: str, token: str) -> str:
        """The page opened on one console."""
        base = str(self.base_url(kind))
        query = f"path=%3Ftoken%3D{token}" if kind == "novnc" else f"token={token}"
        return f"{base}{'&' if '?' in base else '?'}{query}"


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The wired collaborators of the Compute API."""

    store: Store
    api: ApiOptions = field(default_factory=ApiOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    clock: Clock = field(default_factory=SystemClock)
    quota: Any = None
    """domain.quota.QuotaOptions."""
    images: Any = None
    """clients.glance contract."""
    recent_images: Recent[Any] = field(default_factory=lambda: Recent(5.0))
    """Active images as the callers of the last seconds saw them."""
    networks: Any = None
    """clients.neutron contract."""
    resources: Any = None
    """clients.placement contract."""
    disks: DiskOptions = field(default_factory=DiskOptions)
    volumes: Any = None
    """clients.cinder contract."""
    shares: Any = None
    """clients.manila contract."""
    limits: Any = None
    """clients.keystone.limits, where limits are unified."""
    nodes: Any = None
    """clients.ironic contract."""
    notices: Notices = field(default_factory=Silent)
    placer: Any = None
    """operations.placing.Placer: to say what it would choose."""
    cross_az_attach: bool = True
    """``[cinder] cross_az_attach``: volumes may be in another zone than their server."""
    hosts: Any = None
    """operations.hosts.Hosts: the agents, reached over the bus."""
    bell: Callable[..., None] = lambda *_ids: None
    """Rings the conductors about accepted operations."""
    doorbell: Callable[[list[str]], None] = lambda _uuids: None
    """Tells the conductors that ports of these servers became active."""
    precache: Callable[[dict[str, Any]], None] = lambda _wanted: None
    """Has hosts fetch images ahead of use (operations.caching)."""
    console: ConsoleUrls = field(default_factory=ConsoleUrls)
