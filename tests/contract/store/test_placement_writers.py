"""Eight writers against two placement-api processes over one database: no over-commit, nothing lost, no 500."""

import contextlib
import http.client
import json
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.contract.store.private_servers import PrivateServer, free_port

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.placement.store.sync import sync

WRITERS, CLAIMS = 8, 12
_CONFIGURATION = "[placement_database]\nconnection = {url}\n[api]\nauth_strategy = noauth2\n"


_HEADERS = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Door:
    """One process."""

    port: int

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), _HEADERS)
            reply = connection.getresponse()
            data = reply.read()
        return reply.status, json.loads(data) if data else None


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.system),
        pytest.param("postgresql", marks=pytest.mark.system),
    ],
)
def doors(
    request: pytest.FixtureRequest, servers: Callable[[str], PrivateServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Door]]:
    folder = tmp_path_factory.mktemp("writers")
    url = f"sqlite:///{folder}/placement.sqlite"
    if request.param != "sqlite":
        server, name = servers(str(request.param)), f"placement_{secrets.token_hex(4)}"
        server.create(name)
        url = server.url(name)
    database = Database(DatabaseOptions(connection=url))
    sync(database)
    database.dispose()
    configuration = folder / "placement.conf"
    configuration.write_text(_CONFIGURATION.format(url=url))
    found = [Door(free_port()), Door(free_port())]
    processes = [_start(configuration, door, folder) for door in found]
    try:
        for door, process in zip(found, processes, strict=True):
            _wait(door, process, folder)
        yield found
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def _start(configuration: Path, door: Door, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "kilonova.services.placement_api", "--config-file", str(configuration)]
    with (folder / f"{door.port}.log").open("w") as log:
        return subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(door.port)], stdout=log, stderr=log, cwd=folder
        )


def _wait(door: Door, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if door.call("GET", "/")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError((folder / f"{door.port}.log").read_text()[-2000:])


def _cloud(doors: list[Door], providers: int, room: int) -> list[str]:
    call = doors[0].call
    uuids = [str(uuid4()) for _ in range(providers)]
    for uuid in uuids:
        assert call("POST", "/resource_providers", {"name": uuid, "uuid": uuid})[0] == 200
        stock = {"VCPU": {"total": room}, "MEMORY_MB": {"total": 100_000}}
        body = {"resource_provider_generation": 0, "inventories": stock}
        assert call("PUT", f"/resource_providers/{uuid}/inventories", body)[0] == 200
    return uuids


def _body(hosts: list[str], generation: int | None) -> dict[str, Any]:
    return {
        "allocations": {host: {"resources": {"VCPU": 1, "MEMORY_MB": 8}} for host in hosts},
        "project_id": "project",
        "user_id": "user",
        "consumer_generation": generation,
        "consumer_type": "INSTANCE",
    }


@dataclass
class Writer:
    """Claims, moves and releases in a random but repeatable way; knows what it should hold."""

    call: Callable[..., tuple[int, Any]]
    rng: random.Random
    hosts: list[str]

    def run(self) -> tuple[Counter[int], dict[str, list[str]]]:
        codes: Counter[int] = Counter()
        held: dict[str, list[str]] = {}
        for _ in range(CLAIMS):
            consumer = str(uuid4())
            where = self._some()
            codes[self._put(consumer, where, None, held)] += 1
            if consumer in held and len(self.hosts) > 1:
                codes[self._put(consumer, self._some(), 1, held)] += 1
                if self.rng.random() < 0.3:
                    codes[self.call("DELETE", f"/allocations/{consumer}")[0]] += 1
                    del held[consumer]
        return codes, held

    def _some(self) -> list[str]:
        return self.rng.sample(self.hosts, min(2, len(self.hosts)))

    def _put(self, consumer: str, where: list[str], seen: int | None, held: dict[str, list[str]]) -> int:
        status, _ = self.call("PUT", f"/allocations/{consumer}", _body(where, seen))
        if status == 204:
            held[consumer] = where
        return status


@pytest.mark.parametrize("providers", [1, 100])
def test_eight_writers(doors: list[Door], providers: int) -> None:
    """One provider has room for half of the claims, a hundred for all; then the sums are those of what is held."""
    room = WRITERS * CLAIMS // 2
    hosts = _cloud(doors, providers, room)
    writers = [Writer(doors[n % len(doors)].call, random.Random(n), hosts) for n in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(Writer.run, writers))
    codes = sum((found for found, _ in results), Counter())
    held = {consumer: where for _, mine in results for consumer, where in mine.items()}
    assert codes == ({204: room, 409: room} if providers == 1 else {204: codes.total()})
    call = doors[1].call
    used = Counter(host for where in held.values() for host in where)
    for host in hosts:
        assert call("GET", f"/resource_providers/{host}/usages")[1]["usages"] == {
            "VCPU": used[host],
            "MEMORY_MB": 8 * used[host],
        }
        _, listed = call("GET", f"/resource_providers/{host}/allocations")
        assert set(listed["allocations"]) == {consumer for consumer, where in held.items() if host in where}
    for consumer in held:
        assert call("DELETE", f"/allocations/{consumer}")[0] == 204
