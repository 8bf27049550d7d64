"""The Compute API over falcon.testing: SQLite, noauth2, a clock turned by hand."""

import functools
import shutil
import uuid as uuids
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import falcon.testing

from kilonova.api import app, policies
from kilonova.api.wiring import Compute
from kilonova.domain.quota import QuotaOptions
from kilonova.kit import codec
from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import ManualClock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.http.app import Application
from kilonova.kit.options import from_mapping
from kilonova.store import cell_tables, hosts, server_groups, server_mappings
from kilonova.store.cells import CELL0, Cell, Store

PROJECT = "11111111111111111111111111111111"


@dataclass
class Api:
    """A caller of the API."""

    client: falcon.testing.TestClient
    compute: Compute
    user: str = "admin"
    project: str = PROJECT
    roles: str | None = None
    prefix: str = "/v2.1"

    def call(self, method: str, path: str, version: str | None = None, body: Any = None, **more: Any) -> Any:
        """One request; ``path`` may have a query string."""
        headers = {"X-Auth-Token": f"{self.user}:{self.project}", **more.pop("headers", {})}
        if self.roles:
            headers["X-Roles"] = self.roles
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        path, _, query = path.partition("?")
        return self.client.simulate_request(
            method, self.prefix + path, json=body, headers=headers, query_string=query or None, **more
        )

    def get(self, path: str, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a GET that must answer ``status``."""
        return self._json(self.call("GET", path, version), status)

    def post(self, path: str, body: Any, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a POST that must answer ``status``."""
        return self._json(self.call("POST", path, version, body), status)

    def put(self, path: str, body: Any, version: str | None = None, *, status: int = 200) -> Any:
        """The JSON of a PUT that must answer ``status``."""
        return self._json(self.call("PUT", path, version, body), status)

    def delete(self, path: str, version: str | None = None, *, status: int = 204) -> Any:
        """A DELETE that must answer ``status``."""
        return self._json(self.call("DELETE", path, version), status)

    def _json(self, result: Any, status: int) -> Any:
        assert result.status_code == status, result.text
        return result.json if result.text else None

    def member(self, user: str = "member", project: str | None = None) -> "Api":
        """The same API as an ordinary user."""
        return Api(self.client, self.compute, user, project or self.project, None, self.prefix)


FILES = ("api.db", "0.db", "1.db")
CELLS = ((CELL0, "cell0"), ("00000000-0000-0000-0000-000000000001", "cell1"))


def open_store(template: Path, folder: Path) -> Store:
    """A copy of the databases of ``template``."""
    for name in FILES:
        shutil.copy(template / name, folder / name)
    api, *rest = [Database(DatabaseOptions(connection=f"sqlite:///{folder / name}")) for name in FILES]
    numbered = enumerate(zip(CELLS, rest, strict=True), start=1)
    return Store(api, tuple(Cell(ident, uuid, name, database) for ident, ((uuid, name), database) in numbered))


def api_over(compute: Compute) -> Api:
    """An administrator's API."""
    application = _application()
    service = replace(application.service, app=compute)

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        application.service = service
        return application(environ, start_response)

    return Api(falcon.testing.TestClient(serve), compute)


@functools.cache
def _application() -> Application:
    """One for all tests, over whichever collaborators each has: its routes and rules take long to put together."""
    return app.build(cast("Compute", None), NoAuth(), policies.policy(from_mapping({})))


NOW = stamp(ManualClock().now())


def add_host(store: Store, host: str, *, node: str | None = None, seen: str | None = NOW, **facts: Any) -> str:
    """A compute service with one node; returns the node's UUID."""
    uuid = str(uuids.uuid5(uuids.NAMESPACE_DNS, node or host))
    known = {
        "name": node or host,
        "uuid": uuid,
        "hypervisor_type": "fake",
        "hypervisor_version": 1000,
        "host_ip": "192.0.2.1",
        "vcpus": 8,
        "memory_mb": 8192,
        "disk_gb": 100,
        "free_disk_gb": 90,
        "cpu_info": {"arch": "x86_64"},
        "uptime": " 08:32:11 up 93 days",
        **facts,
    }
    with store.working[0].database.write() as connection:
        hosts.heartbeat(connection, host, "nova-compute", str(uuids.uuid4()), NOW)
        connection.execute(
            cell_tables.services.update().where(cell_tables.services.c.host == host).values(last_seen=seen)
        )
        hosts.report_node(connection, host, uuid, node or host, codec.text(known), NOW)
    return uuid


def add_service(store: Store, host: str, binary: str) -> None:
    """A service that is no compute host."""
    with store.working[0].database.write() as connection:
        hosts.heartbeat(connection, host, binary, str(uuids.uuid4()), NOW)


def add_server(store: Store, host: str | None, *, project: str = PROJECT, group: str | None = None) -> str:
    """A living server with its mapping and usage; returns its UUID."""
    uuid = str(uuids.uuid4())
    texts = ("flavor", "metadata", "networks", "network_info", "addresses", "hints")
    lists = ("tags", "security_groups", "volumes")
    row = {
        "uuid": uuid,
        "project_id": project,
        "user_id": "member",
        "name": "server",
        "vm_state": "active",
        "host": host,
        "node": host,
        "flavor_id": "1",
        "vcpus": 2,
        "memory_mb": 512,
        "disk_gb": 10,
        "ips": "",
        "created_at": NOW,
        "updated_at": NOW,
        **dict.fromkeys(texts, "{}"),
        **dict.fromkeys(lists, "[]"),
    }
    cell = store.working[0]
    with cell.database.write() as connection:
        connection.execute(cell_tables.servers.insert().values(**row))
    mapping = {"uuid": uuid, "cell_id": cell.id, "project_id": project, "user_id": "member", "created_at": NOW}
    with store.api.write() as connection:
        wanted = {"instances": 1, "cores": 2, "ram": 512}
        server_mappings.reserve(connection, server_mappings.Demand(project, "user", wanted, QuotaOptions().limits()))
        server_mappings.add(connection, [{**mapping, "cores": 2, "ram": 512, "counted": True, "confirmed": True}])
        if group is not None:
            server_groups.add_members(connection, group, [uuid])
    return uuid
