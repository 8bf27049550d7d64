"""The companion services: a script beside the checkout installs and starts them; this finds and uses it."""

import os
import re
import shlex
import subprocess
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

ROOT = Path(__file__).resolve().parents[2]
DATABASE = ("127.0.0.1", 13306, "root", "dbrootpass")
NAMES = ("mariadb", "rabbitmq", "memcached", "keystone", "glance")
INSTALL_SECONDS = 1500
_SIGN = {"core": "glance", "net": "neutron-ovn-metadata-agent", "volume": "cinder-volume"}
"""The process of each part that is started last."""


class NoStack(Exception):
    """The companion services cannot be had here; the message says why."""


@dataclass
class Stack:
    """The script and where it keeps its state (kept between runs: installing takes minutes)."""

    script: Path
    home: Path
    started: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> "Stack":
        """Raises NoStack."""
        script = ROOT.parent / "shared" / "stack" / "stack"
        if not script.is_file():
            raise NoStack(f"there are no companion services beside the checkout ({script} is missing)")
        if os.geteuid() != 0:
            raise NoStack("the companion services need root")
        return cls(script, Path(os.environ.get("STACK_HOME", "/var/tmp/stack")))

    def run(self, *words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "STACK_HOME": str(self.home)}
        return subprocess.run(
            [str(self.script), *words], env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    def up(self, *parts: str) -> None:
        """Start what is not running (``core`` if nothing is said). Raises NoStack with the last words of a failure."""
        status = self.run("status").stdout
        missing = [part for part in parts or ("core",) if not re.search(rf"^{_SIGN[part]} +up ", status, re.MULTILINE)]
        if not missing:
            return
        done = self.run("up", *missing, seconds=INSTALL_SECONDS)
        if done.returncode:
            raise NoStack(f"`stack up {' '.join(missing)}` failed: {(done.stdout + done.stderr)[-2000:]}")
        self.started += tuple(missing)

    def down(self) -> None:
        """Stop what ``up`` started; what ran before goes on running."""
        if self.started:
            self.run("down", *self.started)
            self.started = ()

    def pretend_host(self, name: str) -> None:
        """A chassis of OVN that nobody runs, so that Neutron binds ports to a host by that name.

        It is never late to answer: Neutron takes chassis for dead whose ``nb_cfg`` stays behind.
        """
        if not self._southbound("--bare", "find", "Chassis", f"name={name}"):
            self._southbound("chassis-add", name, "geneve", "127.0.0.2")
        facts = ("datapath-type=netdev", "ovn-bridge-mappings=public:br-ex")
        self._southbound("set", "Chassis", name, f"hostname={name}", *(f"other_config:{fact}" for fact in facts))
        if not self._southbound("--bare", "find", "Chassis_Private", f"name={name}"):
            chassis = self._southbound("--bare", "--columns=_uuid", "find", "Chassis", f"name={name}")
            self._southbound("create", "Chassis_Private", f"name={name}", f"chassis={chassis}", f"nb_cfg={2**40}")

    def _southbound(self, *words: str) -> str:
        command = ["ovn-sbctl", "--db=tcp:127.0.0.1:6642", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def login(self, *who: str) -> dict[str, str]:
        """``OS_*`` variables of a user, and the PATH that has the command line clients."""
        found = {}
        for line in self.run("openrc", *who).stdout.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            found[name] = shlex.split(value)[0] if name != "PATH" else f"{self.home}/venv/bin:{os.environ['PATH']}"
        return found

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: int((self.home / "run" / f"{name}.pid").read_text().split()[0]) for name in NAMES}

    def virtual_host(self, name: str) -> str:
        """One of RabbitMQ's, made if need be; its URL."""
        words = (("add_vhost", name), ("set_permissions", "-p", name, "stack", ".*", ".*", ".*"))
        calls = "; ".join(f"core.rabbitmqctl(*{word!r}, check=False)" for word in words)
        text = f"import sys; sys.path.insert(0, {str(self.script.parent)!r}); from stacklib import core; {calls}"
        environment = {**os.environ, "STACK_HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(["python3", "-c", text], env=environment, check=True, capture_output=True, timeout=120)
        return f"{self.transport_url}{name}"

    @property
    def transport_url(self) -> str:
        return "rabbit://stack:mqpass@127.0.0.1:13672/"


def root(database: str | None = None) -> Any:
    """A connection to the companion database as its administrator."""
    host, port, user, password = DATABASE
    return pymysql.connect(
        host=host, port=port, user=user, password=password, database=database, charset="utf8mb4", autocommit=True
    )


def fresh_databases(*names: str) -> dict[str, str]:
    """Empty databases; name → SQLAlchemy URL."""
    host, port, user, password = DATABASE
    connection = root()
    try:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    finally:
        connection.close()
    quoted = urllib.parse.quote(password)
    return {name: f"mysql+pymysql://{user}:{quoted}@{host}:{port}/{name}?charset=utf8mb4" for name in names}
