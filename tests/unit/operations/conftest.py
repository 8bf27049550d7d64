"""Databases in memory, a clock that is turned by hand, and hosts, networks and placement that only remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.databases import fresh

from kilonova.domain.guest_data import GuestDataOptions
from kilonova.kit import codec
from kilonova.kit.clock import ManualClock, stamp
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database
from kilonova.operations.accepting import NoFields, operation_row
from kilonova.operations.options import ConductorOptions
from kilonova.operations.work import Tools, Work
from kilonova.store import api_tables, cell_tables
from kilonova.store import operations as journal_rows
from kilonova.store import servers as server_rows
from kilonova.store.cells import Cell, Store, write_mapping

FLAVOR = {
    "original_name": "m1.tiny",
    "vcpus": 1,
    "ram": 128,
    "disk": 1,
    "ephemeral": 0,
    "swap": 0,
    "extra_specs": {},
}


@dataclass
class Hosts:
    """Remembers what was asked; ``answers`` gives a result, or raises what it holds."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, host: str, call: str, arguments: Mapping[str, Any], **more: Any) -> Any:
        self.asked.append((host, call))
        self.payloads.append({**arguments, **more})
        answer = self.answers.get(f"{call}@{host}", self.answers.get(call, {"power": 1}))
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Chooser:
    """Gives the hosts in turn."""

    hosts: list[str] = field(default_factory=lambda: ["one", "two"])
    attempts: int = 3
    claimed: list[str] = field(default_factory=list)
    released: int = 0
    requests: list[Any] = field(default_factory=list)

    def place(self, request: Any) -> dict[str, Any]:
        self.requests.append(request)
        free = [host for host in self.hosts if host not in request.tried_hosts]
        if not free:
            raise ValueError("No valid host was found.")
        self.claimed.append(free[0])
        return {"host": free[0], "node": free[0], "zone": "nova", "cell": 1, "failed_builds": 0}

    def all_silent(self) -> bool:
        return False

    def release(self, _consumer: str) -> None:
        self.released += 1
        self.claimed.clear()


def _api_tables(database: Database) -> None:
    api_tables.metadata.create_all(database.engine)


def _cell_tables(database: Database) -> None:
    cell_tables.metadata.create_all(database.engine)


class Bench:
    """What a test of operations works on."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        api, cell = fresh(_api_tables), fresh(_cell_tables)
        self.cell = Cell(1, "11111111-1111-1111-1111-111111111111", "cell1", cell)
        self.store = Store(api, (self.cell,))
        write_mapping(api, {"uuid": self.cell.uuid, "name": "cell1", "disabled": False})
        self.hosts = Hosts()
        self.chooser = Chooser()
        self.reached: list[str] = []
        self.tools = Tools(
            store=self.store,
            clock=self.clock,
            hosts=self.hosts,
            chooser=self.chooser,
            metadata=GuestDataOptions("novalocal", {}),
            options=ConductorOptions(),
            checkpoint=self.reached.append,
        )
        self.context = Context(user_id="user", project_id="project", request_id="req-1")

    def with_tools(self, **changes: Any) -> None:
        self.tools = replace(self.tools, **changes)

    def server(self, uuid: str = "s1", **values: Any) -> dict[str, Any]:
        now = stamp(self.clock.now())
        empty = dict.fromkeys(("tags", "security_groups", "networks", "network_info", "volumes"), "[]")
        row = {
            "uuid": uuid,
            "project_id": "project",
            "user_id": "user",
            "name": "web",
            "hostname": "web",
            "vm_state": "active",
            "task_state": None,
            "flavor_id": "1",
            "flavor": codec.text(FLAVOR),
            "vcpus": 1,
            "memory_mb": 128,
            "disk_gb": 1,
            "metadata": "{}",
            "addresses": "{}",
            "hints": "{}",
            "ips": "",
            **empty,
            "created_at": now,
            "updated_at": now,
            "deleted": 0,
            **values,
        }
        with self.cell.database.write() as connection:
            server_rows.insert(connection, [row])
        return self.row(uuid)

    def row(self, uuid: str = "s1") -> dict[str, Any]:
        with self.cell.database.read() as connection:
            found = server_rows.get(connection, uuid, deleted=True)
        assert found is not None
        return dict(found)

    def accept(self, verb: str, uuid: str = "s1", command: Any = None, **values: Any) -> str:
        row = operation_row(self.context, {"uuid": uuid}, verb, command or NoFields(), stamp(self.clock.now()))
        with self.cell.database.write() as connection:
            journal_rows.insert(connection, [{**row, **values}])
        return str(row["id"])

    def operation(self, ident: str) -> dict[str, Any]:
        with self.cell.database.read() as connection:
            found = journal_rows.get(connection, ident)
        assert found is not None
        return dict(found)

    def change(self, ident: str, **values: Any) -> None:
        table = cell_tables.operations
        with self.cell.database.write() as connection:
            connection.execute(table.update().where(table.c.id == ident).values(**values))

    def steps(self, ident: str) -> dict[str, dict[str, Any]]:
        with self.cell.database.read() as connection:
            return {step["name"]: dict(step) for step in journal_rows.steps_of(connection, [ident])}

    def work(self, ident: str, owner: str = "me", seconds: float = 60) -> Work:
        """Claimed."""
        row = self.operation(ident)
        until = self.clock.now() + timedelta(seconds=seconds)
        self.change(ident, state="running", owner=owner, attempts=row["attempts"] + 1, lease_until=stamp(until))
        return Work(self.tools, self.cell, row, owner, until=until)


@pytest.fixture
def bench() -> Bench:
    return Bench()


Maker = Callable[..., Work]


@pytest.fixture
def claimed(bench: Bench) -> Maker:
    """Makes a server with a claimed operation."""

    def make(verb: str = "create", **server: Any) -> Work:
        bench.server(**{"vm_state": "building", "task_state": "scheduling", **server})
        return bench.work(bench.accept(verb))

    return make
