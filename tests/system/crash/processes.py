"""What runs in the processes that are killed: the shipped conductor and compute service, with checkpoints."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.crash.sockets import SocketBus

from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.neutron.http import HttpNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.clients.placement.http import HttpPlacement
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.options import Configuration, from_mapping
from kilonova.kit.sessions import Sessions
from kilonova.services.compute import ComputeHost
from kilonova.services.conductor import Conductor, tools_of
from kilonova.services.process import Neighbours
from kilonova.store.cells import Cell, Store


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a process is told."""

    folder: Path
    name: str
    configuration: Mapping[str, Mapping[str, Any]]
    cell: tuple[int, str, str]
    """Key, UUID, database URL."""
    at: str | None = None
    """The boundary at which it ends."""
    signal: int = signal.SIGKILL
    fake: Mapping[str, Any] | None = None


class Boundary:
    """A checkpoint: noted in a file that outlives the process, and the place of its end."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.databases: tuple[Any, ...] = ()
        self._trace = os.open(plan.folder / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, where: str) -> None:
        os.write(self._trace, f"{where}\n".encode())
        if where == self._plan.at:
            with contextlib.ExitStack() as quiet:
                if self._plan.signal == signal.SIGSTOP:
                    # A process that is stopped inside a write of another thread would keep SQLite's lock from everyone.
                    for database in self.databases:
                        quiet.enter_context(database._sqlite_writer)
                (self._plan.folder / f"reached-{os.getpid()}").touch()
                # To this thread: one sent to the process is taken by any thread, and this one would go on for a moment.
                signal.pthread_kill(threading.get_ident(), self._plan.signal)


class Checked:
    """A driver with a boundary before and after each call that changes guests."""

    def __init__(self, driver: FakeDriver, boundary: Callable[[str], None]) -> None:
        self._driver = driver
        self._boundary = boundary

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._driver, name)
        if name not in {"create", "destroy"}:
            return found

        def call(*arguments: Any) -> Any:
            self._boundary(f"agent:{name}:before")
            result = found(*arguments)
            self._boundary(f"agent:{name}:after")
            return result

        return call


def conductor(plan: Plan) -> None:
    configuration, boundary = _begin(plan)
    bus = SocketBus(plan.folder / "bus")
    key, uuid, url = plan.cell
    api = Database(DatabaseOptions(connection=f"sqlite:///{plan.folder / 'api.sqlite'}"))
    store = Store(api, (Cell(key, uuid, "cell1", Database(DatabaseOptions(connection=url))),))
    boundary.databases = (api, store.home.database)
    sessions = Sessions(configuration)
    others = Neighbours(
        images=None,
        networks=ApiNeutron(HttpNetworkApi(neighbour(sessions, "neutron"))),
        resources=HttpPlacement(neighbour(sessions, "placement")),
    )
    tools = tools_of(configuration, store, bus, others, checkpoint=boundary)
    Conductor(tools, bus, plan.name).start()
    _until_killed()


def agent(plan: Plan) -> None:
    configuration, boundary = _begin(plan)

    def answering(method: str) -> None:
        boundary(f"agent:{method}:answer")

    bus = SocketBus(plan.folder / "bus", answering)
    driver = FakeDriver(FakeOptions(**(plan.fake or {})), plan.name)
    placement = HttpPlacement(neighbour(Sessions(configuration), "placement"))
    ComputeHost(configuration, Checked(driver, boundary), bus, placement, plan.name).start()
    _until_killed()


def _begin(plan: Plan) -> tuple[Configuration, Boundary]:
    logging.basicConfig(
        filename=plan.folder / f"{plan.name}.log", level=logging.INFO, format="%(asctime)s %(process)d %(message)s"
    )
    return from_mapping({name: dict(section) for name, section in plan.configuration.items()}), Boundary(plan)


def _until_killed() -> None:
    while os.getppid() != 1:
        time.sleep(1)
