"""Our programs as separate processes, with a configuration written for them; every one is stopped by its id."""

import configparser
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment.stack import ROOT, Stack, fresh_databases

BIN = Path(sys.executable).parent
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "placement": ("kilonova.services.placement_api", "--host", "127.0.0.1", "--port", "8778", "--workers", "{workers}"),
    "conductor": ("kilonova.services.conductor",),
    "scheduler": ("kilonova.services.scheduler",),
    "compute": ("kilonova.services.compute",),
    "api": ("kilonova.services.api",),
}
EXTRA: Mapping[str, tuple[str, ...]] = {"novncproxy": ("kilonova.services.novncproxy",)}
"""Started only when asked for by name."""
CONTROL = ("api", "conductor", "scheduler", "placement", "mariadb", "rabbitmq", "memcached")
"""The control plane: what the published figures add up."""
_DATABASES = ("kilonova_api", "kilonova_cell", "kilonova_cell_cell0", "kilonova_placement")
_START_SECONDS = 60


class WontStart(Exception):
    """A program ended or does not answer; the message has the end of its output."""


@dataclass
class Deployment:
    """One set of services on the well-known ports."""

    directory: Path
    stack: Stack
    nodes: int = 1
    workers: int = 1
    monitored: bool = False
    """Numbers and health are told on this machine."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options by section that are other than usual; None leaves one out."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        return self.directory / "nova.conf"

    def prepare(self) -> None:
        """Empty databases, a configuration, schemas, cells."""
        for port in (8774, 8778):
            if listening(port):
                raise WontStart(f"port {port} is taken by something else")
        (self.directory / "state").mkdir(parents=True, exist_ok=True)
        self._write(fresh_databases(*_DATABASES))
        manage = "kilonova.cli.manage"
        self._tool("kilonova.cli.placement_manage", "db", "sync")
        self._tool(manage, "api_db", "sync")
        self._tool(manage, "cell_v2", "map_cell0")
        self._tool(manage, "db", "sync")
        self._tool(manage, "cell_v2", "create_cell", "--name", "cell1")

    def start(self, *names: str) -> None:
        """Start programs (all of them by default) and wait until they serve.

        ``compute@alpha`` is one more process of the program, as host ``alpha``.
        """
        for name in names or tuple(PROGRAMS):
            program, _, host = name.partition("@")
            module, *words = {**PROGRAMS, **EXTRA}[program]
            filled = [*self._as_host(host), *(word.format(workers=self.workers) for word in words)]
            self.spawn(name, [module, *filled], self.configuration)
            if name == "placement":
                self._wait(name)  # a compute host that reports before it answers does so again a minute later
        for name in names or tuple(PROGRAMS):
            self._wait(name)

    def spawn(
        self, name: str, words: Sequence[str], configuration: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """A program (module and arguments) under a name, in a session of its own; nobody waits for it."""
        module, *arguments = words
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", module, "--config-file", str(configuration), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def _as_host(self, host: str) -> tuple[str, ...]:
        """Words that make a program a host of its own."""
        if not host:
            return ()
        own = self.directory / f"{host}.conf"
        state = self.directory / f"{host}.state"
        state.mkdir(exist_ok=True)
        own.write_text(f"[DEFAULT]\nhost = {host}\nstate_path = {state}\n[fake]\nvnc_port = 0\nspice_port = 0\n")
        return ("--config-file", str(own))

    def _wait(self, name: str) -> None:
        """HTTP services: until they answer; the others: until they say that they are up."""
        port = {"api": 8774, "placement": 8778}.get(name)
        deadline = time.monotonic() + _START_SECONDS
        while not (answers(port) if port else f"nova-{name.partition('@')[0]} is up" in self.log(name)):
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise WontStart(f"{name} does not start:\n{self.log(name)[-3000:]}")
            time.sleep(0.1)

    def log(self, name: str) -> str:
        """What the program wrote."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def stop(self, *names: str) -> dict[str, int]:
        """SIGTERM, and SIGKILL for what stays; name → exit code."""
        wanted = names or tuple(self.running)
        for name in wanted:
            self.running[name].send_signal(signal.SIGTERM)
        codes = {}
        for name in wanted:
            process = self.running.pop(name)
            try:
                codes[name] = process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        return codes

    def pids(self) -> dict[str, int]:
        """Process ids of ours and of the stack's, by name."""
        return {**{name: process.pid for name, process in self.running.items()}, **self.stack.pids()}

    def _tool(self, module: str, *words: str, configuration: Path | None = None) -> None:
        command = [sys.executable, "-m", module, "--config-file", str(configuration or self.configuration), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
        if done.returncode:
            raise WontStart(f"{module} {' '.join(words)}: {done.stdout}{done.stderr}")

    def _write(self, databases: Mapping[str, str]) -> None:
        api, cell, _cell0, placement = (databases[name] for name in _DATABASES)
        login = self.stack.login()["OS_AUTH_URL"]
        service = {
            "auth_type": "password",
            "auth_url": login,
            "username": "nova",
            "password": "servicepass",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        region = {"region_name": "RegionOne"}
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "transport_url": self.stack.transport_url,
                "compute_driver": "fake.FakeDriver",
                "host": socket.gethostname(),
                "state_path": self.directory / "state",
                "osapi_compute_listen": "127.0.0.1",
                "osapi_compute_workers": self.workers,
                "metadata_listen": "127.0.0.1",
                "graceful_shutdown_timeout": 15,
                "reserved_host_memory_mb": 0,
                "allow_resize_to_same_host": "true",  # there may be one node
                "vif_plugging_timeout": 0,  # nobody wires the ports of guests that are pretended
            },
            "fake": {"node_count": self.nodes, "vnc_port": 6969},
            "api_database": {"connection": api},
            "database": {"connection": cell},
            "placement_database": {"connection": placement},
            "keystone_authtoken": {
                **service,
                **region,
                "www_authenticate_uri": login,
                "memcached_servers": "127.0.0.1:13211",
                "service_token_roles_required": "true",
                "service_token_roles": "service",
            },
            "monitoring": {"listen": "127.0.0.1" if self.monitored else ""},
            "service_user": {**service, "send_service_user_token": "true"},
            **dict.fromkeys(("placement", "glance", "neutron"), region),
        }
        for name, rows in self.settings.items():
            sections[name] = {**sections.get(name, {}), **rows}
        write_options(self.configuration, sections)


def write_options(path: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """A configuration file for its owner's eyes; options that are None are left out."""
    parser = configparser.RawConfigParser()
    parser.read_dict({name: {k: str(v) for k, v in rows.items() if v is not None} for name, rows in sections.items()})
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        parser.write(file)


def listening(port: int) -> bool:
    """Is the port of this machine open?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int) -> bool:
    """Does an HTTP service answer there?"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            return bool(reply.status)
    except OSError:
        return False
