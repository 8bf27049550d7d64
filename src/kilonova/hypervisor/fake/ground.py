"""What the parts of the fake driver stand on: options, records, faults, locks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilonova.hypervisor.contracts import GuestSpec, HypervisorFailed, Images
from kilonova.hypervisor.fake.faults import FakeFaults
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.hypervisor.fake.screen import Screen
from kilonova.hypervisor.fake.state import Guests

_LOCK_STRIPES = 64


class FakeGround:
    """Base of the driver's parts.

    ``images``, when given, gets a small file for each snapshot, so that an upload really happens.
    """

    def __init__(
        self,
        options: FakeOptions,
        host: str,
        *,
        address: str = "127.0.0.1",
        images: Images | None = None,
        faults: FakeFaults | None = None,
    ) -> None:
        self._options = options
        self._host = host
        self._address = address
        self._images = images
        self.faults = faults or FakeFaults.parse(options.slow, options.fail)
        self._guests = Guests(Path(options.state_path) if options.state_path else None)
        self._names = _node_names(options, host)
        self.cached: set[str] = set()
        """Ids of images that were asked for ahead of use."""
        self._known = frozenset(self._names)
        self._locks = tuple(threading.Lock() for _ in range(_LOCK_STRIPES))
        ports = {"novnc": options.vnc_port, "spice-direct": options.spice_port}
        self._screens = {kind: Screen(address, at, spice=kind != "novnc") for kind, at in ports.items() if at}

    @contextmanager
    def _lock(self, uuid: str) -> Iterator[None]:
        with self._locks[hash(uuid) % _LOCK_STRIPES]:
            yield

    def _node(self, spec: GuestSpec) -> str:
        """The node a guest goes to. Raises HypervisorFailed for one that is not ours."""
        node = spec.node or self._names[0]
        if node not in self._known:
            raise HypervisorFailed(call="create", host=self._host, reason=f"there is no node {node}")
        return node


def _node_names(options: FakeOptions, host: str) -> tuple[str, ...]:
    if options.nodes:
        return tuple(options.nodes)
    if options.node_count:
        return tuple(f"{host}-{number:04d}" for number in range(1, options.node_count + 1))
    return (host,)
