"""A network namespace of our own to be the host, and further ones that pretend to be guests."""

import contextlib
import ctypes
import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from falcon.testing import TestClient

from kilonova.kit.auth import NoAuth
from kilonova.kit.clock import SystemClock
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.http.serve import ThreadedServer
from kilonova.lab.networks.linux import LinuxPlumbing
from kilonova.lab.networks.metadata_proxy import MetadataProxy
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.seed import seed
from kilonova.lab.networks.service import LabNetworks, build

_CLONE_NEWNET = 0x40000000
ADMIN = {"X-Auth-Token": "admin:demo"}
SECRET = "s3cret"


def sh(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert not check or done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done


@pytest.fixture
def namespace() -> Iterator[None]:
    """The test's thread, its children and the threads it starts live in a fresh network namespace."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(_CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        sh("ip", "link", "set", "lo", "up")
        # A new namespace takes after the host, whatever runs there.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        # As on hosts whose administrator switched it off for bridges in general: ours must do it for themselves.
        everywhere = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
        if everywhere.exists():
            everywhere.write_text("0")
        yield
    finally:
        libc.setns(before, _CLONE_NEWNET)
        os.close(before)


@dataclass
class Guest:
    """A pretend guest: a namespace whose eth0 is the port's other end."""

    name: str
    port: dict[str, Any]
    script: Path

    @property
    def address(self) -> str:
        return str(self.port["fixed_ips"][0]["ip_address"])

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return sh("ip", "netns", "exec", self.name, *command, check=check)

    def dhcp(self) -> str:
        client = ("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1")
        return self.run(*client, "-O", "staticroutes", "-O", "mtu", "-s", str(self.script)).stdout

    def pings(self, address: str) -> bool:
        return self.run("ping", "-c", "1", "-W", "1", address, check=False).returncode == 0


@dataclass
class Lab:
    """The API over real plumbing, and makers of guests."""

    client: TestClient
    lab: LabNetworks
    directory: Path
    network_id: str
    public_id: str
    guests: list[Guest] = field(default_factory=list)
    secret: str = SECRET

    def sh(self, *command: str) -> str:
        return sh(*command).stdout

    def host_pings(self, address: str) -> bool:
        return sh("ping", "-c", "1", "-W", "1", address, check=False).returncode == 0

    def call(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        reply = self.client.simulate_request(method, f"/v2.0{path}", json=body, headers=ADMIN)
        assert reply.status_code < 400 if status is None else reply.status_code == status, reply.text
        return reply.json if reply.text else None

    def guest(self, **port: Any) -> Guest:
        given = {
            "network_id": self.network_id,
            "device_id": f"server-{len(self.guests)}",
            "device_owner": "compute:nova",
            "binding:host_id": "lab",
            **port,
        }
        made = self.call("POST", "/ports", {"port": given})["port"]
        assert made["status"] == "ACTIVE", made
        assert made["binding:vif_type"] == "bridge"
        guest = Guest(f"kng-{os.getpid()}-{len(self.guests)}", made, self.directory / "dhcp-script")
        self.guests.append(guest)
        tap = f"tap{made['id'][:11]}"
        sh("ip", "netns", "add", guest.name)
        peer = ("type", "veth", "peer", "name", "eth0", "netns", guest.name)
        sh("ip", "link", "add", tap, *peer)
        sh("ip", "link", "set", tap, "master", made["binding:vif_details"]["bridge_name"], "up")
        guest.run("ip", "link", "set", "lo", "up")
        guest.run("ip", "link", "set", "eth0", "address", made["mac_address"], "up")
        return guest

    def rule(self, **rule: Any) -> str:
        groups = self.call("GET", "/security-groups?name=default&project_id=demo")["security_groups"]
        given = {"security_group_id": groups[0]["id"], "direction": "ingress", **rule}
        return str(
            self.call("POST", "/security-group-rules", {"security_group_rule": given})["security_group_rule"]["id"]
        )


Maker = Callable[[], Lab]


@pytest.fixture
def make_lab(namespace: None, tmp_path: Path) -> Iterator[Maker]:
    """Starts the service on the test's database; calling again is a restart."""
    script = tmp_path / "dhcp-script"
    script.write_text(
        textwrap.dedent("""\
        #!/bin/sh
        [ "$1" = bound ] || [ "$1" = renew ] || exit 0
        ip address flush dev eth0
        ip address add "$ip/$mask" dev eth0
        set -- $staticroutes
        while [ $# -gt 1 ]; do ip route replace "$1" via "$2"; shift 2; done
        [ -z "$staticroutes" ] && ip route replace default via "$router"
        echo "ip=$ip router=$router dns=$dns mtu=$mtu routes=$staticroutes"
        """)
    )
    script.chmod(0o755)
    options = LabNetworkOptions(
        state_path=str(tmp_path / "state"),
        metadata_url="http://127.0.0.1:18775",
        metadata_proxy_shared_secret=SECRET,
    )
    with contextlib.ExitStack() as stack:

        def make() -> Lab:
            database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path / 'lab.db'}"))
            stack.callback(database.dispose)
            app = build(database, options, NoAuth(), LinuxPlumbing(options), SystemClock())
            lab: LabNetworks = app.service.app
            stack.callback(lab.teardown)
            found = seed(lab, "demo")
            proxy = ThreadedServer(MetadataProxy(lab.store, options), "0.0.0.0", options.metadata_proxy_port, name="md")
            proxy.start()
            stack.callback(proxy.stop)
            made = Lab(TestClient(app), lab, tmp_path, found["private"], found["public"])
            stack.callback(_remove_guests, made)
            return made

        yield make


@pytest.fixture
def lab(make_lab: Maker) -> Lab:
    return make_lab()


def _remove_guests(lab: Lab) -> None:
    for guest in lab.guests:
        sh("ip", "netns", "delete", guest.name, check=False)
