"""Networks and volumes of a deployment to break: the lab's, quick to have, or the companion Neutron and Cinder."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kilonova.kit.auth import authenticator
from kilonova.kit.clock import SystemClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.options import load
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plumbing import FakePlumbing
from kilonova.lab.networks.service import build as build_networks
from kilonova.lab.volumes.api import build as build_volumes
from kilonova.lab.volumes.service import LabVolumes


class Neighbours(Protocol):
    """What serves networks and volumes."""

    parts: tuple[str, ...]
    """Of the companion services."""
    ports: Mapping[str, int]
    """``network`` and ``volume`` → where they listen."""

    def start(self, configuration: Path, hosts: Sequence[str]) -> None:
        """For these compute hosts."""

    def stop(self) -> None:
        """What ``start`` did is undone."""


class Lab:
    """Networks that plug nothing and volumes that are files; both ask the real Keystone about tokens."""

    parts: tuple[str, ...] = ("core",)
    ports: Mapping[str, int] = {"network": 29696, "volume": 28776}

    def __init__(self) -> None:
        self._servers: list[ThreadedServer] = []

    def start(self, configuration: Path, hosts: Sequence[str]) -> None:  # noqa: ARG002  # any host has ports
        directory = configuration.parent
        auth = authenticator(load("nova", ["--config-file", str(configuration)]), "keystone", 300)
        paths = {name: directory / name for name in ("nets", "vols")}
        databases = {n: Database(DatabaseOptions(connection=f"sqlite:///{path}")) for n, path in paths.items()}
        networks = build_networks(databases["nets"], LabNetworkOptions(), auth, FakePlumbing(), SystemClock())
        volumes = build_volumes(LabVolumes(databases["vols"], directory / "volumes", lambda _image: None), auth)
        for name, app in (("network", networks), ("volume", volumes)):
            server = ThreadedServer(app, "127.0.0.1", self.ports[name], name=name, threads=16)
            server.start()
            self._servers.append(server)

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


class Companion:
    """The real ones. Neutron binds ports to hosts that OVN knows alone, so those that pretend are entered there."""

    parts: tuple[str, ...] = ("core", "net", "volume")
    ports: Mapping[str, int] = {"network": 9696, "volume": 8776}
    _ALIVE = "nb_cfg=1000000000"
    """Ahead of what Neutron ever asks for: such a chassis answers always."""

    def __init__(self) -> None:
        self._hosts: tuple[str, ...] = ()

    def start(self, configuration: Path, hosts: Sequence[str]) -> None:  # noqa: ARG002  # they have files of their own
        self._hosts = tuple(hosts)
        self.stop()
        for number, host in enumerate(hosts, start=1):
            address = f"ip=127.0.1.{number}"
            self._ovn(
                "--id=@e", "create", "Encap", "type=geneve", f"chassis_name={host}", address, *self._chassis(host)
            )

    def _chassis(self, host: str) -> tuple[str, ...]:
        made = ("--", "--id=@c", "create", "Chassis", f"name={host}", f"hostname={host}", "encaps=@e")
        return (*made, "--", "create", "Chassis_Private", f"name={host}", "chassis=@c", self._ALIVE)

    def stop(self) -> None:
        for host in self._hosts:
            self._ovn("--if-exists", "chassis-del", host, "--", "--if-exists", "destroy", "Chassis_Private", host)

    @staticmethod
    def _ovn(*words: str) -> None:
        subprocess.run(
            ["ovn-sbctl", "--timeout=15", "--db=tcp:127.0.0.1:6642", *words], check=True, capture_output=True
        )
