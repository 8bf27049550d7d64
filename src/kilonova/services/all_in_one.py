"""The whole cloud in one process: lab services, placement, compute API, conductor, agent, consoles.

The same code as the separate processes run, on SQLite files and an in-process bus. ``kilonova up`` starts it with a
configuration file of the usual sections plus ``[lab]``.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kilonova.api.app import build as build_api
from kilonova.api.policies import policy
from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import NoVncOptions, SerialProxyOptions, SpiceProxyOptions
from kilonova.console.serial import SerialProxy
from kilonova.console.spice import SpiceProxy
from kilonova.kit import diagnosis, logs, monitoring, signals
from kilonova.kit.auth import authenticator
from kilonova.kit.clock import SystemClock, stamp
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError, NotFound
from kilonova.kit.http.cors import CorsOptions
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.monitoring import Check
from kilonova.kit.options import Configuration, load, opt
from kilonova.kit.reload import by_signal
from kilonova.kit.rpc.local import LocalBus
from kilonova.kit.sessions import Sessions
from kilonova.lab.identity.seed import seed as seed_identity
from kilonova.lab.identity.service import build as build_identity
from kilonova.lab.identity.service import open_identity
from kilonova.lab.images.parts import Images
from kilonova.lab.images.service import build as build_images
from kilonova.lab.images.service import open_images
from kilonova.lab.networks.linux import LinuxPlumbing
from kilonova.lab.networks.metadata_proxy import MetadataProxy
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.seed import seed as seed_networks
from kilonova.lab.networks.service import LabNetworks
from kilonova.lab.networks.service import build as build_networks
from kilonova.lab.volumes.api import build as build_volumes
from kilonova.lab.volumes.service import LabVolumes
from kilonova.metadata.app import build as build_metadata
from kilonova.metadata.options import MetadataOptions
from kilonova.placement.api.app import build as build_placement
from kilonova.placement.api.options import PlacementDatabaseOptions
from kilonova.placement.store.sync import sync as sync_placement
from kilonova.services.compute import ComputeHost, driver_of
from kilonova.services.conductor import Conductor, bell_of, tools_of
from kilonova.services.notifier import Notifier
from kilonova.services.parts import api_parts, checks_of, open_store
from kilonova.services.process import Neighbours, ProcessOptions, neighbours, notices_of
from kilonova.services.redeem import redeemer
from kilonova.store import cells, operations
from kilonova.store.cells import API_SCHEMA, CELL_SCHEMA, Store

LOG = logging.getLogger(__name__)
CELL1 = "c0000000-0000-4000-8000-000000000001"
Stop = Callable[[], object]


@dataclass(frozen=True)
class LabOptions:
    """``[lab]``: our own section, for the one-machine default only."""

    GROUP: ClassVar[str] = "lab"
    directory: str = opt("/var/lib/kilonova", "where the lab keeps its data")
    listen: str = opt("127.0.0.1", "address that the lab's services and ours listen on")
    port_offset: int = opt(0, "added to every well-known port")
    passwords: dict[str, str] = opt({}, "user:password of the lab's users", secret=True)

    def port(self, usual: int) -> int:
        """A well-known port with the offset."""
        return usual + self.port_offset

    def url(self, usual: int, path: str = "") -> str:
        """How this machine reaches a service."""
        return f"http://{self.listen}:{self.port(usual)}{path}"


PORTS = {
    "identity": 5000,
    "image": 9292,
    "network": 9696,
    "compute": 8774,
    "placement": 8778,
    "metadata": 8775,
    "volume": 8776,
}


class AllInOne:
    """Everything, started in the order in which the parts need each other."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.lab = configuration.section(LabOptions)
        self.process = configuration.section(ProcessOptions)
        self.clock = SystemClock()
        self.bus = LocalBus()
        self.checks: Mapping[str, Check] = {}
        """What must answer before it can do its work."""
        self._stops: list[Stop] = []
        self._mounts: dict[str, Any] = {}

    def start(self) -> None:
        """Raises PortTaken, BadConfiguration and what the parts raise; what had started is stopped then."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Last started, first stopped."""
        while self._stops:
            self._stops.pop()()

    def _start(self) -> None:
        project = self._identity()
        auth = authenticator(self.configuration, "keystone", 300)
        self._volumes(auth, self._images(auth))
        networks = self._networks(auth, project)
        self._placement(auth)
        others = neighbours(self.configuration, self._mounts)
        sessions = Sessions(self.configuration, self._mounts)
        networks.notify = Notifier(sessions, self.lab.url(8774)).changed
        store = self._store()
        self.checks = checks_of(store, self.bus)
        self._inherit(store)
        notices = notices_of(self.configuration)
        tools = tools_of(self.configuration, store, self.bus, others, clock=self.clock, notices=notices)
        self._api(auth, store, others)
        options = MetadataOptions.of(self.configuration)
        self._serve("metadata", build_metadata(store, options, self.clock), threads=4)
        driver = driver_of(self.configuration, self.process, others.images)
        host = self.process.host_name
        self._run(Conductor(tools, self.bus, host, binaries=("nova-conductor", "nova-scheduler")))
        compute = ComputeHost(self.configuration, driver, self.bus, others.resources, host)
        compute.tell_to(notices, self.process.my_ip)
        self._run(compute)
        # Operations that go on need the host, so the conductor stops first.
        self._stops[-2:] = reversed(self._stops[-2:])
        self._consoles()

    def _consoles(self) -> None:
        """Screens always; SPICE and serial ports where the configuration offers them."""
        redeem = redeemer(self.bus)
        spice = SpiceProxyOptions.of(self.configuration)
        serial = SerialProxyOptions.of(self.configuration)
        if spice.spice.enabled:
            self._run(SpiceProxy(spice, redeem, clock=self.clock))
        if serial.serial.enabled:
            self._run(SerialProxy(serial, redeem, clock=self.clock))
        self._run(NoVncProxy(NoVncOptions.of(self.configuration), redeem, clock=self.clock))

    def _run(self, part: Any) -> None:
        part.start()
        self._stops.append(part.stop)

    def _serve(self, name: str, app: Any, *, threads: int = 6) -> None:
        server = ThreadedServer(app, self.lab.listen, self.lab.port(PORTS[name]), name=name, threads=threads)
        self._run(server)
        self._mounts[self.lab.url(PORTS[name])] = app

    def _database(self, name: str) -> Database:
        path = Path(self.lab.directory) / f"{name}.sqlite"
        return self._open(Database(DatabaseOptions(connection=f"sqlite:///{path}")))

    def _open(self, database: Database) -> Database:
        self._stops.append(database.dispose)
        return database

    def _identity(self) -> str:
        """Start it; returns the id of the demo project."""
        identity = open_identity(self._database("identity"), self.clock)
        endpoints = {
            "identity": self.lab.url(5000, "/v3"),
            "image": self.lab.url(9292),
            "network": self.lab.url(9696),
            "compute": self.lab.url(8774, "/v2.1"),
            "placement": self.lab.url(8778),
            "volumev3": self.lab.url(8776, "/v3"),
        }
        seed_identity(identity.store, self.lab.passwords, endpoints)
        self._serve("identity", build_identity(identity))
        return str(identity.store.projects.find({"name": "demo"})[0]["id"])

    def _images(self, auth: Any) -> Images:
        directory = Path(self.lab.directory) / "images"
        images = open_images(self._database("images"), directory, self.clock)
        self._serve("image", build_images(images, auth))
        return images

    def _volumes(self, auth: Any, images: Images) -> None:
        """Volumes are made from the image service's files directly: both are in this process."""

        def image_file(image_id: str) -> tuple[Path, Any] | None:
            try:
                found = images.store.get(image_id)
            except NotFound:
                return None
            path = Path(self.lab.directory) / "images" / image_id
            return (path, found) if found["status"] == "active" else None

        directory = Path(self.lab.directory) / "volumes"
        self._serve("volume", build_volumes(LabVolumes(self._database("volumes"), directory, image_file), auth))

    def _networks(self, auth: Any, project: str) -> LabNetworks:
        options = self.configuration.section(LabNetworkOptions)
        plumbing = LinuxPlumbing(options)
        application = build_networks(self._database("networks"), options, auth, plumbing, self.clock)
        service: LabNetworks = application.service.app
        service.sync()
        seed_networks(service, project)
        proxy = MetadataProxy(service.store, options)
        self._run(ThreadedServer(proxy, "0.0.0.0", options.metadata_proxy_port, name="metadata-proxy", threads=4))
        self._serve("network", application)
        return service

    def _placement(self, auth: Any) -> None:
        database = self._open(Database(self.configuration.section(PlacementDatabaseOptions)))
        sync_placement(database)
        self._serve("placement", build_placement(database, self.configuration, auth))

    def _store(self) -> Store:
        """Databases with their schemas, the one cell mapped, the usual flavors there."""
        api = Database(self.configuration.section(DatabaseOptions, "api_database"))
        cell = self.configuration.section(DatabaseOptions)
        cell_database = Database(cell)
        cells.synchronise([(API_SCHEMA, api), (CELL_SCHEMA, cell_database)])
        row = {"uuid": CELL1, "name": "cell1", "database_connection": cell.connection, "disabled": False}
        cells.write_mapping(api, {**row, "transport_url": "local:"})
        for database in (api, cell_database):
            database.dispose()
        store = open_store(self.configuration)
        self._stops.append(store.dispose)
        return store

    def _inherit(self, store: Store) -> None:
        """Take over what a killed process left, at once: there is never another one on these databases."""
        for cell in store.working:
            with cell.database.write() as connection:
                left = operations.orphan(connection, stamp(self.clock.now()))
            if left:
                LOG.info("Going on with %d operations of the process before", left)

    def _api(self, auth: Any, store: Store, others: Neighbours) -> None:
        compute = api_parts(self.configuration, store, others, self.bus, bell_of(self.bus), self.clock)
        cors = self.configuration.section(CorsOptions)
        self._serve("compute", build_api(compute, auth, policy(self.configuration), cors), threads=10)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="kilonova-all-in-one", description="The whole cloud in one process.")
    parser.add_argument("--config-file", required=True, action="append", help="what `kilonova up` wrote, and more")
    arguments = parser.parse_args(argv)
    enough = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signals.answer(number, lambda _number: enough.set())
    by_signal()
    diagnosis.by_signal()
    try:
        configuration = load("kilonova", [f"--config-file={file}" for file in arguments.config_file])
        logs.set_up(configuration, "kilonova")
        monitoring.keep_numbers(configuration)
        cloud = AllInOne(configuration)
        cloud.start()
        with monitoring.monitored(configuration, "kilonova", cloud.checks):
            LOG.info("Ready")
            enough.wait()
    except KilonovaError as error:
        sys.stderr.write(f"kilonova: {error}\n")
        return 1
    cloud.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
