"""Conductors that die at a step boundary inside this process, and what comes after them.

Death is a ``BaseException`` at a checkpoint, and at every later one of the same conductor. ``tests/system/crash`` does
the same with processes and SIGKILL.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.service.cloud import Cloud, wait_for
from tests.service.operations.audit import World, at_rest

from kilonova.clients.glance.facts import NewImage
from kilonova.clients.neutron.facts import NetworkRequest
from kilonova.clients.placement.facts import Allocation
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.faults import FakeFaults
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.kit.clock import SystemClock
from kilonova.kit.context import Context
from kilonova.operations.accepting import Acceptor
from kilonova.operations.attach_interface import AttachInterface
from kilonova.services.compute import ComputeHost
from kilonova.services.conductor import Conductor, tools_of
from kilonova.services.process import Neighbours
from kilonova.store import hosts as host_rows
from kilonova.store import servers
from kilonova.store.cells import Cell

LEASE = 1.0


class Killed(BaseException):
    """The process is dead; nothing catches it but what runs threads."""


class SkippingClock(SystemClock):
    """The machine's clock, with jumps forward, so that nobody waits for a lease to run out."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead)

    def skip(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass
class Fuse:
    """A checkpoint that records where it was called, and kills at one place (the first time it is reached)."""

    at: str | None = None
    on_death: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    dead: threading.Event = field(default_factory=threading.Event)

    def __call__(self, where: str) -> None:
        if self.dead.is_set():
            raise Killed(where)
        if where not in self.seen:
            self.seen.append(where)
        if where == self.at:
            self.dead.set()
            self.on_death()
            raise Killed(where)


class Site(Cloud):
    """A cloud with two hosts and one network, whose conductors come and go."""

    def __init__(self, directory: Path, **options: Any) -> None:
        timing = {"operation_lease": LEASE, "operation_sweep_interval": 0.1, "report_interval": 1}
        super().__init__(directory, DEFAULT={"host": "host1", "compute_driver": "fake.FakeDriver", **timing, **options})
        self.clock = SkippingClock()
        self.faults = FakeFaults()
        self.network = self.network_api.network("private", "project", cidr="10.0.0.0/16")
        self.others = Neighbours(
            images=self.images,
            networks=self.networks,
            resources=self.resources,
            volumes=self.volumes,
            shares=self.shares,
        )

    def open(self) -> None:
        with self.conducting(Fuse()):
            for name in ("host1", "host2"):
                self._begin(name)
            wait_for(self._offered)
            self.flavor()
            self.flavor("m1.big", ident="2", vcpus=2, ram=256, disk=2)

    def new_conductor(self, fuse: Callable[[str], None], name: str = "host1") -> Conductor:
        tools = tools_of(self.configuration, self.store, self.bus, self.others, clock=self.clock, checkpoint=fuse)
        return Conductor(tools, self.bus, name, bus_of=self.bus_of)

    def conducting(self, fuse: Callable[[str], None], name: str = "host1") -> "_Shift":
        return _Shift(self.new_conductor(fuse, name))

    def restart(self, name: str) -> None:
        """A new agent on the host, which reads from its file which guests it has."""
        self.hosts[name].stop()
        self.hosts[name].driver.close()
        self._begin(name)

    def up(self, name: str) -> bool:
        """Nobody forced the host's service down."""
        with self.store.home.database.read() as connection:
            found = host_rows.service(connection, name)
        return bool(found and not found["forced_down"])

    def _begin(self, name: str) -> None:
        state = FakeOptions(state_path=str(self.directory / f"{name}.json"))
        driver = FakeDriver(state, name, images=self.images, faults=self.faults)
        bus = self.bus_of(self.cell_for(name))
        host = self.hosts[name] = ComputeHost(self.configuration, driver, bus, self.resources, name)
        host.start()

    def cell_for(self, host: str) -> Cell:
        """Where the host is."""
        del host
        return self.store.working[0]

    def _providers(self) -> dict[str, str]:
        return {name: host.driver.nodes()[0].uuid for name, host in self.hosts.items()}

    def _offered(self) -> bool:
        there = {provider.uuid for provider in self.resources.providers()}
        return all(p in there and self.resources.traits(p) for p in self._providers().values())

    def world(self) -> World:
        def allocation(uuid: str) -> Any:
            found: Allocation | None = self.resources.allocation(uuid)
            return None if found is None else {p: dict(r) for p, r in found.allocations.items()}

        return World(
            store=self.store,
            guests=lambda: [(name, g.uuid) for name, host in self.hosts.items() for g in host.driver.guests()],
            kept=lambda: [(name, uuid) for name, host in self.hosts.items() for uuid in host.driver.kept()],
            allocation=allocation,
            ports=lambda uuid: self.network_api.rows("ports", [("device_id", uuid)]),
            volumes=self.volumes,
            providers=self._providers(),
        )

    def create(self, name: str = "web") -> str:
        return str(self.boot(name, wait=False, networks=[{"uuid": self.network}])["id"])

    def attach(self, uuid: str, network: str) -> None:
        """Accept an attachment without waiting for its end, as the API does: nobody works yet."""
        cell = self.store.home
        with cell.database.read() as connection:
            row = servers.get(connection, uuid)
        assert row is not None
        context = Context(user_id="user", project_id="project")
        command = AttachInterface(NetworkRequest(network_id=network))
        Acceptor(clock=self.clock, bell=lambda *_: None).accept(context, cell, row, "attach_interface", command)

    def create_with_volumes(self, name: str = "web") -> str:
        """One volume is made for it, one it is given."""
        device = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
        made = {**device, "delete_on_termination": True}
        given = {"source_type": "volume", "destination_type": "volume", "uuid": self.volumes.add().id}
        networks = [{"uuid": self.network}]
        return str(self.boot(name, wait=False, networks=networks, block_device_mapping_v2=[made, given])["id"])

    def create_on_volumes(self, name: str = "web") -> str:
        """Its root disk is a volume, and it has another one."""
        volume = {"source_type": "volume", "destination_type": "volume"}
        root = {**volume, "uuid": self.volumes.add(bootable=True).id, "boot_index": 0}
        data = {**volume, "uuid": self.volumes.add().id}
        networks = [{"uuid": self.network}]
        more = {"imageRef": "", "networks": networks, "block_device_mapping_v2": [root, data]}
        return str(self.boot(name, wait=False, **more)["id"])

    def delete(self, uuid: str) -> None:
        assert self.call("DELETE", f"/servers/{uuid}").status_code == 204

    def another_image(self) -> str:
        new = NewImage(name="other", disk_format="qcow2", container_format="bare", visibility="public")
        return self.images.add(new, b"other").id

    def settle(self, uuid: str, seconds: float = 40) -> None:
        wait_for(lambda: at_rest(self.world(), uuid), seconds)


class _Shift:
    """A conductor at work."""

    def __init__(self, conductor: Conductor) -> None:
        self.conductor = conductor

    def __enter__(self) -> Conductor:
        self.conductor.start()
        return self.conductor

    def __exit__(self, *_error: object) -> None:
        self.conductor.stop()


@dataclass(frozen=True)
class Story:
    """Something that happens to a server, and how it must end wherever a conductor dies."""

    name: str
    begin: Callable[[Site], str]
    """Accepts the operation while no conductor lives; returns the server."""
    end: str
    meanwhile: Callable[[Site, str], None] = lambda _site, _uuid: None
    """What users do while the conductor is dead."""
    afterwards: Callable[[Site, str], None] = lambda _site, _uuid: None
    """What happens once the operation has come to rest, before the audit."""
    kind: str = "create"
    """Stories of one kind need not try the same boundary twice."""
    nics: int | None = None
    """How many a living server has in the end, if not those of its create."""
