"""Settings of the lab's networks."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.options import opt


@dataclass(frozen=True)
class LabNetworkOptions:
    """``[lab_networks]``: our own section, for the one-machine default only."""

    GROUP: ClassVar[str] = "lab_networks"
    host: str = opt("localhost", "name of this host, as compute calls it in binding:host_id")
    state_path: str = opt("/var/lib/kilonova/networks", "directory for DHCP configuration, leases and pid files")
    metadata_proxy_port: int = opt(
        9697, "port that guests' requests to 169.254.169.254:80 are led to", min=1, max=65535
    )
    metadata_url: str = opt("http://127.0.0.1:8775", "the compute metadata service")
    metadata_proxy_shared_secret: str = opt("", "signs instance ids towards the metadata service", secret=True)
    dhcp_lease_seconds: int = opt(86400, "how long a DHCP lease lasts", min=120)
    auto_allocated_range: str = opt("10.42.0.0/16", "networks=auto take their /24 subnets from here")
    mtu: int = opt(1500, "MTU of networks that name none", min=576, max=65535)
