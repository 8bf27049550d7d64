"""Options of the fake driver, section ``[fake]``; all of them are Kilonova's own."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova.kit.options import opt


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    """What the host pretends to be."""

    GROUP: ClassVar[str] = "fake"
    nodes: list[str] = opt([], "names of the host's nodes; empty means one, named like the host")
    node_count: int = opt(0, "make this many nodes, named host-0001 and so on, when nodes is empty", min=0)
    vcpus: int = opt(128, "virtual CPUs of each node", min=1)
    memory_mb: int = opt(512 * 1024, "memory of each node in MiB", min=1)
    disk_gb: int = opt(8 * 1024, "disk of each node in GiB", min=1)
    state_path: str | None = opt(None, "file that keeps the guests over a restart; empty keeps them in memory")
    slow: str = opt("", "seconds calls take, as create=0.5,destroy=1")
    fail: str = opt("", "calls that fail, as call[:times[:server name prefix]],…")
    vnc_port: int = opt(0, "serve an empty screen here, for console proxies; 0 serves none", min=0, max=65535)
    spice_port: int = opt(0, "answer SPICE clients here; 0 answers none", min=0, max=65535)
