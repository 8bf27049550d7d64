"""``placement-manage import``: a database that release 16.0.0 of the reference service made and filled, read back."""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.contract.store.conftest import servers  # noqa: F401  # a fixture, here as there
from tests.contract.store.private_servers import PrivateServer
from tests.system.placement.conftest import PROGRAMS, configured, free_port, started, stopped

from kilonova.kit.db.engine import Database, DatabaseOptions

PEER = Path("build/placement-16.0.0").absolute()
SERVER = Path(__file__).with_name("peer_server.py")
NOW = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39"}


@pytest.fixture(scope="module")
def peer() -> Path:
    """Programs of the reference service, in an environment that stays for the next run."""
    if not (PEER / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER)], check=True)
        command = [str(PEER / "bin/pip"), "install", "-q", "openstack-placement==16.0.0", "PyMySQL"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the reference service cannot be had from the package index: {done.stderr.strip()[-300:]}")
        (PEER / "ready").touch()
    return PEER / "bin"


class Service:
    """A placement service over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers.update(NOW)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._session.request(method, self._url + path, json=body, timeout=30)
        assert reply.status_code < 300, (method, path, reply.text)
        return reply.json() if reply.text else None

    def fill(self) -> None:
        """Trees, sharing providers, custom names, two types of consumers, and a provider that moved."""
        self.ask("PUT", "/resource_classes/CUSTOM_VF")
        self.ask("PUT", "/traits/CUSTOM_FAST")
        aggregate = uid(9000)
        for i in range(30):
            self.provider(i, {"VCPU": 16, "MEMORY_MB": 4096}, ["HW_CPU_X86_AVX2"][: i % 2], [aggregate][: i % 3])
            self.provider(100 + i, {"CUSTOM_VF": 4}, ["CUSTOM_FAST"], [], parent=uid(i))
        self.provider(500, {"DISK_GB": 1000}, ["MISC_SHARES_VIA_AGGREGATE"], [aggregate])
        moved = {"name": "p-129", "parent_provider_uuid": uid(28)}
        self.ask("PUT", f"/resource_providers/{uid(129)}", moved)
        later = {"name": "p-0", "parent_provider_uuid": uid(500)}
        self.ask("PUT", f"/resource_providers/{uid(0)}", later)
        for i in range(60):
            allocations = {uid(i % 30): {"resources": {"VCPU": 1 + i % 3, "MEMORY_MB": 64}}}
            if i % 4 == 0:
                allocations[uid(100 + i % 30)] = {"resources": {"CUSTOM_VF": 1}}
            self.claim(2000 + i, allocations, "INSTANCE" if i % 5 else "MIGRATION", None)
        self.claim(2001, {uid(1): {"resources": {"VCPU": 4}}}, "INSTANCE", 1)
        self.ask("DELETE", f"/allocations/{uid(2002)}")

    def provider(
        self,
        number: int,
        inventory: dict[str, int],
        traits: list[str],
        aggregates: list[str],
        parent: str | None = None,
    ) -> None:
        path = f"/resource_providers/{uid(number)}"
        body = {"name": f"p-{number}", "uuid": uid(number), "parent_provider_uuid": parent}
        self.ask("POST", "/resource_providers", body)
        records = {name: {"total": n, "allocation_ratio": 1.5, "reserved": 1} for name, n in inventory.items()}
        self.ask("PUT", f"{path}/inventories", {"resource_provider_generation": 0, "inventories": records})
        for kind, names in (("traits", traits), ("aggregates", aggregates)):
            seen = self.ask("GET", path)["generation"]
            self.ask("PUT", f"{path}/{kind}", {"resource_provider_generation": seen, kind: names})

    def claim(self, number: int, allocations: dict[str, Any], kind: str, generation: int | None) -> None:
        owner = {"project_id": f"project-{number % 3}", "user_id": f"user-{number % 2}", "consumer_type": kind}
        body = {"allocations": allocations, "consumer_generation": generation, **owner}
        self.ask("PUT", f"/allocations/{uid(number)}", body)

    def everything(self) -> dict[str, Any]:
        """All that can be read, in an order of its own."""
        found: dict[str, Any] = {}
        providers = self.ask("GET", "/resource_providers")["resource_providers"]
        found["providers"] = sorted(providers, key=lambda one: str(one["uuid"]))
        for one in providers:
            for part in ("inventories", "usages", "traits", "aggregates", "allocations"):
                path = f"/resource_providers/{one['uuid']}/{part}"
                found[path] = ordered(self.ask("GET", path))
        for number in range(2000, 2060):
            found[str(number)] = self.ask("GET", f"/allocations/{uid(number)}")
        for project in range(3):
            found[f"usages {project}"] = self.ask("GET", f"/usages?project_id=project-{project}")
        found["traits"] = sorted(self.ask("GET", "/traits?associated=true")["traits"])
        found["classes"] = self.ask("GET", "/resource_classes/CUSTOM_VF")
        for query in ("resources=VCPU:1,DISK_GB:1", "resources=VCPU:1&resources1=CUSTOM_VF:1&required1=CUSTOM_FAST"):
            answer = self.ask("GET", f"/allocation_candidates?{query}")
            requests_ = sorted(str(ordered(one)) for one in answer["allocation_requests"])
            found[query] = requests_, ordered(answer["provider_summaries"])
        return found


def forget_some(url: str) -> None:
    """Take away rows that an import had not come to."""
    database = Database(DatabaseOptions(connection=url))
    with database.write() as connection:
        for table, column in (("allocations", "consumer_id"), ("consumers", "id"), ("provider_traits", "provider_id")):
            connection.execute(sa.text(f"DELETE FROM {table} WHERE {column} % 2 = 1"))
        connection.execute(sa.text("UPDATE resource_providers SET root_id = NULL, parent_id = NULL, trait_list = '[]'"))
    database.dispose()


def uid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def ordered(value: Any) -> Any:
    """Keys and lists sorted: in which order they come is nobody's promise."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return sorted(map(ordered, value), key=str) if isinstance(value, list) else value


@dataclass(frozen=True)
class Original:
    """A database of the reference service, and all that its own service says of it."""

    url: str
    documents: dict[str, Any]


def database_url(kind: str, folder: Path, servers: Callable[[str], PrivateServer]) -> str:  # noqa: F811  # the fixture
    """An empty database of this kind."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/placement.db"
    server, name = servers(kind), f"placement_{secrets.token_hex(4)}"
    server.create(name)
    return server.url(name)


@pytest.fixture(scope="module")
def original(
    peer: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    servers: Callable[[str], PrivateServer],  # noqa: F811  # the fixture
) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("peer")
    url = database_url(request.param, folder, servers)
    file = configured(folder, url)
    subprocess.run([str(peer / "placement-manage"), "--config-file", str(file), "db", "sync"], check=True)
    command = (str(peer / "python"), str(SERVER), str(free_port()))
    process, where = started(folder, {"OS_PLACEMENT_CONFIG_DIR": str(folder)}, *command)
    try:
        service = Service(where)
        service.fill()
        yield Original(url, service.everything())
    finally:
        stopped(process)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("original", "kind"),
    [("sqlite", "sqlite"), ("mariadb", "mariadb"), ("mariadb", "postgresql")],
    indirect=["original"],
)
def test_everything_reads_as_before(
    original: Original,
    kind: str,
    tmp_path: Path,
    servers: Callable[[str], PrivateServer],  # noqa: F811  # the fixture
) -> None:
    target = database_url(kind, tmp_path, servers)
    file = configured(tmp_path, target)
    command = [str(PROGRAMS / "placement-manage"), "--config-file", str(file), "import", "--from", original.url]
    for batch in ("7", "1000"):
        done = subprocess.run([*command, "--batch", batch], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "checked: 61 resource providers" in done.stdout
        if batch == "7":
            forget_some(target)  # as if it had been interrupted; the next run mends it
    program = (str(PROGRAMS / "placement-api"), "--config-file", str(file), "--host", "127.0.0.1", "--port", "0")
    process, url = started(tmp_path, {}, *program)
    try:
        service = Service(url)
        found = service.everything()
        assert found.keys() == original.documents.keys()
        for key, value in original.documents.items():
            assert found[key] == value, key
        service.provider(3000, {"VCPU": 1}, [], [])  # new ids do not meet those that came along
    finally:
        stopped(process)
