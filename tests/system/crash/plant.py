"""The supervisor: API, placement and network service here; conductors and hosts in processes that get killed."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.service.cloud import Cloud, wait_for
from tests.service.operations.audit import World, at_rest
from tests.system.crash.network_server import NetworkServer
from tests.system.crash.processes import Plan, agent, conductor
from tests.system.crash.sockets import SocketBus

from kilonova.hypervisor.fake.state import Guests
from kilonova.kit.http.serve import ThreadedServer

LEASE = 0.6
HOSTS = {"host1": 4, "host2": 1}
"""Host → size: the bigger one is always chosen first."""


class Plant(Cloud):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = self.network_api.network("private", "project", cidr="10.0.0.0/16")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.system.crash.processes"])
        self._running: dict[str, Any] = {}
        self._servers = [
            ThreadedServer(self._as_admin, "127.0.0.1", 0, name="placement"),
            ThreadedServer(NetworkServer(self.network_api), "127.0.0.1", 0, name="network"),
        ]

    def new_bus(self) -> SocketBus:
        return SocketBus(self.directory / "bus")

    def open(self) -> None:
        for server in self._servers:
            server.start()
        self.begin("conductor1")
        for host in HOSTS:
            self.begin(host)
        wait_for(self._offered, 30)
        self.flavor()

    def close(self) -> None:
        for name in list(self._running):
            self.kill(name)
        for server in self._servers:
            server.stop()
        self.stop()

    # -- processes --
    def begin(self, name: str, at: str | None = None, number: int = signal.SIGKILL) -> None:
        """Start the conductor or compute host of this name, to be killed at a boundary."""
        cell = self.store.home
        plan = Plan(
            folder=self.directory,
            name=name,
            configuration=self._configuration(),
            cell=(cell.id, cell.uuid, str(cell.database.url)),
            at=at,
            signal=number,
            fake=self._fake(name) if name in HOSTS else None,
        )
        process = self._context.Process(target=agent if name in HOSTS else conductor, args=(plan,), daemon=True)
        process.start()
        self._running[name] = process

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join(10)

    def alone(self) -> None:
        """One conductor, which nothing stops: how every test begins, whatever the one before it came to."""
        if "conductor2" in self._running:
            self.kill("conductor2")
        (self.directory / "conductor1.log").write_text("")
        self.again("conductor1")

    def again(self, name: str, at: str | None = None, number: int = signal.SIGKILL) -> None:
        self.kill(name)
        self.begin(name, at, number)

    def dies(self, name: str, seconds: float = 60) -> None:
        """Wait until the process has killed itself."""
        process = self._running[name]
        process.join(seconds)
        assert process.exitcode == -signal.SIGKILL, f"{name} did not reach its boundary: {process.exitcode}"

    def wake(self, name: str) -> None:
        os.kill(self._running[name].pid, signal.SIGCONT)

    def sleeps(self, name: str) -> None:
        """Wait until the process has stopped itself."""
        wait_for((self.directory / f"reached-{self._running[name].pid}").exists, 30)
        time.sleep(0.2)  # from here to the signal

    def _configuration(self) -> dict[str, dict[str, Any]]:
        placement, network = (f"http://127.0.0.1:{server.port}" for server in self._servers)
        timing = {"operation_lease": LEASE, "operation_sweep_interval": 0.1, "report_interval": 1}
        return {
            "DEFAULT": {"compute_driver": "fake.FakeDriver", **timing},
            "filter_scheduler": {"build_failure_weight_multiplier": 0},
            "placement": {"auth_type": "none", "endpoint_override": placement},
            "neutron": {"auth_type": "none", "endpoint_override": network},
        }

    def _fake(self, host: str) -> dict[str, Any]:
        fail = "create:always:doomed" + (",create:always:unlucky" if host == "host1" else "")
        size = {"vcpus": 200 * HOSTS[host], "memory_mb": 1_000_000 * HOSTS[host], "disk_gb": 10_000 * HOSTS[host]}
        return {"state_path": str(self._state(host)), "fail": fail, **size}

    def _state(self, host: str) -> Path:
        return self.directory / f"{host}.guests"

    # -- boundaries --
    def trace(self, run: Callable[[], object]) -> list[str]:
        """The boundaries that are passed while ``run`` runs, in order."""
        path = self.directory / "trace"
        begun = path.stat().st_size if path.exists() else 0
        run()
        size = -1
        while size != path.stat().st_size:  # the last boundaries come after what everybody sees
            size = path.stat().st_size
            time.sleep(0.5)
        return list(dict.fromkeys(path.read_bytes()[begun:].decode().split()))

    # -- the world --
    def create(self, name: str) -> str:
        return str(self.boot(name, wait=False, networks=[{"uuid": self.network}])["id"])

    def delete(self, uuid: str) -> None:
        assert self.call("DELETE", f"/servers/{uuid}").status_code == 204

    def settle(self, uuid: str, seconds: float = 60) -> None:
        wait_for(lambda: at_rest(self.world(), uuid), seconds)

    def world(self) -> World:
        def allocation(uuid: str) -> Any:
            found = self.resources.allocation(uuid)
            return None if found is None else {p: dict(r) for p, r in found.allocations.items()}

        return World(
            store=self.store,
            guests=self._guests,
            kept=lambda: self._guests(aside=True),
            allocation=allocation,
            ports=lambda uuid: self.network_api.rows("ports", [("device_id", uuid)]),
            providers={provider.name: provider.uuid for provider in self.resources.providers()},
        )

    def _guests(self, *, aside: bool = False) -> list[tuple[str, str]]:
        """What the hosts' files say, which is all that a killed host leaves."""
        found = []
        for host in HOSTS:
            copy = self.directory / f"{host}.seen"
            copy.write_bytes(self._state(host).read_bytes())
            guests = Guests(copy)
            found += [(host, record.uuid) for record in (guests.aside() if aside else guests.all())]
            guests.close()
        return found

    def _offered(self) -> bool:
        there = {provider.name: provider.uuid for provider in self.resources.providers()}
        return all(host in there and self.resources.traits(there[host]) for host in HOSTS)
