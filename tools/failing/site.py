"""A whole deployment to break: our processes, and neighbours behind proxies."""

import configparser
import contextlib
import http.client
import os
import signal
import time
from pathlib import Path

from deployment.client import Client, token, until
from deployment.faulty import Faulty
from deployment.galera import Cluster
from deployment.services import Deployment
from deployment.stack import Stack, root

from failing.neighbours import Neighbours

COMPUTE = "http://127.0.0.1:8774/v2.1"
HOSTS = ("host1", "host2", "host3")
CONDUCTORS = ("conductor1", "conductor2")
_MODULES = {"conductor": "conductor", "host": "compute"}
_PROXIES = {"identity": 15000, "image": 19292, "network": 19696, "volume": 18776}
"""Neighbour → the port of its proxy."""
_VOLUMES = 12
_REGION = "Failing"
_QUICK = {"report_interval": "3", "service_down_time": "15", "operation_lease": "15", "sync_power_state_interval": "10"}
"""So that nobody waits for the usual minutes."""


class Site(Deployment):
    """Two conductors, a scheduler, the API, Placement and three compute hosts that pretend."""

    def __init__(self, directory: Path, stack: Stack, neighbours: Neighbours) -> None:
        super().__init__(directory, stack, nodes=0, workers=2)
        self.neighbours = neighbours
        self.ports = {"identity": 5000, "image": 9292, **neighbours.ports}
        """Of the neighbours themselves, which never fail by their proxies."""
        self.proxies = {name: Faulty(port, self.ports[name]) for name, port in _PROXIES.items()}
        self.environments: dict[str, dict[str, str]] = {}
        """Program → further variables, for its next start."""
        self.cluster: Cluster | None = None
        """What the databases are on, if not on the companion one."""
        self.network = ""
        self.volumes: list[str] = []

    # -- beginning and end --
    def open(self) -> None:
        """Everything up and seeded."""
        for proxy in self.proxies.values():
            proxy.start()
        self.prepare()
        self.durable()
        self._configure()
        self.neighbours.start(self.configuration, HOSTS)
        self._identity_behind_proxy()
        self.start("placement", *CONDUCTORS, "scheduler", *HOSTS, "api")
        self.word, self.project = token(self.stack.login())
        self._seed()

    def close(self) -> None:
        """Whatever there is of it, stopped."""
        self.stop()
        with contextlib.suppress(OSError, http.client.HTTPException):
            for volume in self.volumes:
                self.beside("volume").ask("DELETE", f"/v3/{self.project}/volumes/{volume}")
        self.neighbours.stop()
        for proxy in self.proxies.values():
            proxy.stop()

    def client(self, url: str = COMPUTE, version: str = "2.90") -> Client:
        """One of the administrator's, for one thread."""
        return Client(url, self.word, version=version)

    def beside(self, name: str) -> Client:
        """The administrator's client of a neighbour, past its proxy."""
        return self.client(f"http://127.0.0.1:{self.ports[name]}", version="")

    def _configure(self) -> None:
        """Neighbours are the proxies; each host and conductor has a file of its own."""
        own = configparser.RawConfigParser()
        own.read(self.configuration)
        for section in ("keystone_authtoken", "service_user"):
            own[section]["auth_url"] = "http://127.0.0.1:15000/v3"
        own["keystone_authtoken"]["region_name"] = _REGION
        for section, name, path in (("glance", "image", ""), ("neutron", "network", ""), ("cinder", "volume", "/v3")):
            if not own.has_section(section):
                own.add_section(section)
            own[section]["endpoint_override"] = f"http://127.0.0.1:{_PROXIES[name]}{path}"
        own["cinder"]["region_name"] = "RegionOne"
        own["DEFAULT"].update(_QUICK)
        own.remove_section("fake")
        own.read_dict({"quota": {"instances": "-1", "cores": "-1", "ram": "-1"}})
        for name in HOSTS + CONDUCTORS:
            own["DEFAULT"]["host"] = name
            if name in HOSTS:
                (self.directory / name).mkdir(exist_ok=True)
                own.read_dict({"fake": {"state_path": str(self.directory / name / "guests"), "slow": "create=0.5"}})
            self._save(own, name)
        own["DEFAULT"]["host"] = "controller"
        own.remove_section("fake")
        self._save(own, "nova")

    def _save(self, own: configparser.RawConfigParser, name: str) -> None:
        path = self.directory / f"{name}.conf"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            own.write(file)

    def _identity_behind_proxy(self) -> None:
        """Tokens are validated where the catalog says that identity is: in a region of ours alone, at the proxy."""
        word, _project = token(self.stack.login())
        with contextlib.closing(Client("http://127.0.0.1:5000/v3", word, version="")) as client:
            client.ask("POST", "/regions", {"region": {"id": _REGION}})
            service = next(s["id"] for s in client.call("GET", "/services")["services"] if s["type"] == "identity")
            if client.call("GET", f"/endpoints?region_id={_REGION}")["endpoints"]:
                return
            for interface in ("internal", "admin", "public"):
                where = {"service_id": service, "interface": interface, "region_id": _REGION}
                client.call("POST", "/endpoints", {"endpoint": {**where, "url": "http://127.0.0.1:15000/v3/"}})

    def _seed(self) -> None:
        shelf = self.beside("image")
        body = {"name": "failing", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        self.image = shelf.call("POST", "/v2/images", body)["id"]
        shelf.put_bytes(f"/v2/images/{self.image}/file", b"\0" * 65536)
        self._seed_networks(self.beside("network"))
        self._seed_volumes(self.beside("volume"))
        api = self.client()
        flavor = {"name": "failing", "vcpus": 1, "ram": 64, "disk": 0}
        self.flavor = api.call("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
        flavor = {"name": "larger", "vcpus": 2, "ram": 128, "disk": 0}
        self.larger = api.call("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
        until("compute nodes", lambda: len(api.call("GET", "/os-hypervisors")["hypervisors"]) == len(HOSTS))
        placement = self.client("http://127.0.0.1:8778", version="")
        until(
            "providers", lambda: len(placement.call("GET", "/resource_providers")["resource_providers"]) == len(HOSTS)
        )

    def _seed_networks(self, nets: Client) -> None:
        """Those of a run that was broken off are removed, with their ports."""
        for network in nets.call("GET", "/v2.0/networks?name=failing")["networks"]:
            for port in nets.call("GET", f"/v2.0/ports?network_id={network['id']}")["ports"]:
                nets.ask("DELETE", f"/v2.0/ports/{port['id']}")
            nets.call("DELETE", f"/v2.0/networks/{network['id']}")
        self.network = nets.call("POST", "/v2.0/networks", {"network": {"name": "failing"}})["network"]["id"]
        subnet = {"network_id": self.network, "cidr": "10.77.0.0/16", "ip_version": 4}
        nets.call("POST", "/v2.0/subnets", {"subnet": subnet})

    def _seed_volumes(self, shelf: Client) -> None:
        place = f"/v3/{self.project}/volumes"
        self.volumes = [shelf.call("POST", place, {"volume": {"size": 1}})["volume"]["id"] for _ in range(_VOLUMES)]

    # -- programs --
    def start(self, *names: str) -> None:
        """Hosts and conductors with their own files; the others as ever."""
        for name in names:
            kind = name.rstrip("0123456789")
            if name not in HOSTS + CONDUCTORS:
                super().start(name)
                continue
            configuration = self.directory / f"{name}.conf"
            self.spawn(name, [f"kilonova.services.{_MODULES[kind]}"], configuration, self.environments.get(name))

    def kill(self, name: str) -> None:
        """SIGKILL for the program and what it started."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_neighbour(self, name: str, number: int) -> None:
        """A signal for a process of the stack and what it started."""
        pid = self.stack.pids()[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def revive_neighbours(self) -> None:
        """What is not running of the stack's core runs again."""
        done = self.stack.run("up", "core", seconds=300)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        self.durable()

    @staticmethod
    def durable() -> None:
        """The companion database would forget its last second when it is killed."""
        with contextlib.closing(root()) as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
