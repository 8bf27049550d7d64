"""A whole cloud in one process: SQLite files, in-process bus, fake driver and neighbours, the real placement."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import falcon.testing

from kilonova.api.app import build as build_api
from kilonova.api.policies import policy
from kilonova.api.wiring import Compute, ComputeOptions
from kilonova.clients.cinder.fake import FakeCinder
from kilonova.clients.glance.facts import NewImage
from kilonova.clients.glance.fake import FakeGlance
from kilonova.clients.ironic.fake import FakeNodes
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.clients.manila.fake import FakeManila
from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.clients.neutron.neutron import ApiNeutron
from kilonova.clients.placement.http import HttpPlacement
from kilonova.domain.quota import QuotaOptions
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.kit.auth import NoAuth
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.db.migrate import Schema
from kilonova.kit.http.cors import CorsOptions
from kilonova.kit.notices import Notices, Recorded, Silent
from kilonova.kit.options import Configuration, from_mapping
from kilonova.kit.rpc.contract import Address, Bus
from kilonova.kit.rpc.local import LocalBus
from kilonova.kit.sessions import Sessions
from kilonova.operations.hosts import Hosts
from kilonova.placement.api.app import build as build_placement
from kilonova.placement.store.sync import SCHEMA as PLACEMENT_SCHEMA
from kilonova.services.compute import ComputeHost
from kilonova.services.conductor import Conductor, bell_of, tools_of
from kilonova.services.parts import Liveness, console_urls
from kilonova.services.process import Neighbours
from kilonova.store import cells
from kilonova.store.cells import API_SCHEMA, CELL_SCHEMA, Cell, Store

PLACEMENT_URL = "http://placement.test"


def database(path: Path) -> Database:
    return Database(DatabaseOptions(connection=f"sqlite:///{path}"))


def migrated(path: Path, schema: Schema) -> Database:
    """A database with the newest tables."""
    if not path.exists():
        path.write_bytes(_image(schema))
    return database(path)


@functools.cache
def _image(schema: Schema) -> bytes:
    """To migrate anew for each cloud takes longer than many a test."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "new.sqlite")
        made = database(path)
        schema.upgrade(made)
        made.dispose()
        return path.read_bytes()


def new_store(directory: Path) -> Store:
    """Both databases with their schemas and one cell."""
    api, cell = migrated(directory / "api.sqlite", API_SCHEMA), migrated(directory / "cell1.sqlite", CELL_SCHEMA)
    key = cells.write_mapping(
        api,
        {
            "uuid": "11111111-1111-1111-1111-111111111111",
            "name": "cell1",
            "database_connection": str(cell.url),
            "transport_url": "local",
            "disabled": False,
        },
    )
    return Store(api, (Cell(key, "11111111-1111-1111-1111-111111111111", "cell1", cell),))


class Cloud:
    """The system under test; ``api`` speaks HTTP to it."""

    listened = False
    """Whether notifications are recorded: they cost statements."""
    limits: Any = None
    """clients.keystone.limits, where the test has unified ones."""

    def __init__(self, directory: Path, **sections: dict[str, Any]) -> None:
        self.directory = directory
        self.configuration: Configuration = from_mapping(
            {
                "DEFAULT": {"host": "host1", "compute_driver": "fake.FakeDriver"},
                "placement": {
                    "auth_type": "none",
                    "endpoint_override": PLACEMENT_URL,
                },
                "quota": {"instances": 1000, "cores": 5000, "ram": 50_000_000},
                "api": {"auth_strategy": "noauth2"},
                **sections,
            }
        )
        self.store = self.new_store()
        self.bus = self.new_bus()
        self.placement_database = migrated(directory / "placement.sqlite", PLACEMENT_SCHEMA)
        self.placement = build_placement(self.placement_database, self.configuration, NoAuth())
        self.images = FakeGlance()
        self.network_api = FakeNetworkApi()
        self.networks = ApiNeutron(self.network_api)
        sessions = Sessions(self.configuration, {PLACEMENT_URL: self._as_admin})
        self.resources = HttpPlacement(neighbour(sessions, "placement"))
        self.volumes = FakeCinder()
        self.shares = FakeManila()
        others = Neighbours(
            limits=self.limits,
            images=self.images,
            networks=self.networks,
            resources=self.resources,
            volumes=self.volumes,
            shares=self.shares,
        )
        self.notices: Notices = Recorded() if self.listened else Silent()
        self.tools = tools_of(self.configuration, self.store, self.bus, others, notices=self.notices)
        self.conductor = Conductor(self.tools, self.bus, "host1", bus_of=self.bus_of)
        self.hosts: dict[str, ComputeHost] = {}
        self.image = self.images.add(
            NewImage(name="tiny", disk_format="qcow2", container_format="bare", visibility="public"), b"data"
        )
        self.compute = Compute(
            store=self.store,
            quota=self.configuration.section(QuotaOptions),
            images=self.images,
            networks=self.networks,
            resources=self.resources,
            volumes=self.volumes,
            shares=self.shares,
            limits=self.limits,
            notices=self.notices,
            placer=self.tools.chooser,
            hosts=Hosts(self.bus, Liveness(self.store, self.tools.clock, 60)),
            bell=bell_of(self.bus),
            nodes=FakeNodes(),
            precache=lambda wanted: self.bus.cast(Address("conductor"), "images.cache", wanted),
            compute=self.configuration.section(ComputeOptions),
            console=console_urls(self.configuration),
            doorbell=lambda servers: self.bus.cast(Address("conductor"), "ports.plugged", {"servers": servers}),
        )
        self.use(self.compute)

    def use(self, compute: Compute) -> None:
        """Serve the API over these collaborators from here on."""
        self.compute = compute
        self.client = falcon.testing.TestClient(
            build_api(compute, NoAuth(), policy(self.configuration), self.configuration.section(CorsOptions))
        )

    def new_store(self) -> Store:
        return new_store(self.directory)

    def new_bus(self) -> Bus:
        return LocalBus()

    def bus_of(self, cell: Cell) -> Bus:
        del cell
        return self.bus

    def _as_admin(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ["HTTP_X_AUTH_TOKEN"] = "admin:service"
        return self.placement(environ, start_response)

    def start(self, *hosts: str, nodes: int = 0) -> None:
        self.conductor.start()
        for host in hosts or ("host1",):
            self.add_host(host, nodes=nodes)

    def add_host(self, name: str, **options: Any) -> ComputeHost:
        state = self.directory / f"{name}.json"
        nodes, cell = options.pop("nodes", 0), options.pop("cell", self.store.working[0])
        fake = FakeOptions(state_path=str(state), node_count=nodes, **options)
        driver = FakeDriver(fake, name, images=self.images)
        bus = self.bus_of(cell)
        host = self.hosts[name] = ComputeHost(self.configuration, driver, bus, self.resources, name)
        host.tell_to(self.notices, "127.0.0.1")
        host.start()
        wait_for(lambda: self.resources.providers([("name", driver.nodes()[0].name)]))
        return host

    def stop(self) -> None:
        self.conductor.stop()  # first: what is being built ends while its host is still there
        for host in self.hosts.values():
            host.stop()
            host.driver.close()
        self.bus.close()
        self.store.dispose()
        self.placement_database.dispose()

    def call(
        self, method: str, path: str, body: Any = None, *, version: str = "2.104", token: str = "user:project"
    ) -> falcon.testing.Result:
        headers = {"X-Auth-Token": token, "OpenStack-API-Version": f"compute {version}"}
        return self.client.simulate_request(method, f"/v2.1{path}", json=body, headers=headers)

    def flavor(self, name: str = "m1.tiny", *, ident: str = "1", **values: Any) -> str:
        body = {"name": name, "id": ident, "vcpus": 1, "ram": 128, "disk": 1, **values}
        result = self.call("POST", "/flavors", {"flavor": body}, token="admin:admin")
        assert result.status_code == 200, result.text
        return ident

    def boot(self, name: str = "web", *, wait: bool = True, **values: Any) -> dict[str, Any]:
        server = {"name": name, "imageRef": self.image.id, "flavorRef": "1", "networks": "none", **values}
        result = self.call("POST", "/servers", {"server": server})
        assert result.status_code == 202, result.text
        created: dict[str, Any] = result.json["server"]
        return self.until(created["id"], "ACTIVE") if wait else created

    def show(self, uuid: str, **details: Any) -> Any:
        return self.call("GET", f"/servers/{uuid}", **details)

    def until(self, uuid: str, status: str, seconds: float = 10) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def there() -> bool:
            nonlocal found
            result = self.show(uuid)
            found = result.json.get("server", {})
            if found.get("status") == "ERROR" and status != "ERROR":
                raise AssertionError(found.get("fault"))
            return found.get("status") == status and found["OS-EXT-STS:task_state"] is None

        wait_for(there, seconds)
        return found

    def until_gone(self, uuid: str, seconds: float = 10) -> None:
        wait_for(lambda: self.show(uuid).status_code == 404, seconds)


def wait_for(condition: Callable[[], Any], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("It did not come to pass in time")
        time.sleep(0.01)


@contextmanager
def running(directory: Path, *hosts: str, nodes: int = 0, **sections: dict[str, Any]) -> Iterator[Cloud]:
    cloud = Cloud(directory, **sections)
    cloud.start(*hosts, nodes=nodes)
    try:
        yield cloud
    finally:
        cloud.stop()
