"""Compute hosts of the guide as namespaces of this machine (`../shared/testbed`), each an OVN chassis.

The companion services listen on this machine's loopback; relays bring them to each host's own. Geneve tunnels join the
hosts' Open vSwitch with this machine's, which is the gateway.
"""

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment.client import until
from deployment.guide import here
from deployment.services import write_options
from deployment.stack import ROOT
from tests.walk.site import GUIDE_BLOCKS, READY_SECONDS, Site, say

from kilonova.cli.host import packages

SCRIPT = ROOT.parent / "shared" / "testbed" / "two-hosts"
HOSTS = ("compute1", "compute2")
PORTS = (5000, 9292, 9696, 8776, 8778, 13672, 3300, 6789, 6642)
"""What a compute host asks: neighbours, broker, Ceph's monitor, OVN's southbound database. Ceph's others vary."""
PACKAGES = ("bindfs", "openssh-server", "procps", "rsync")
"""That hosts share a directory and move disks with, and stop programs."""
GATEWAY = "10.213.8.1"
"""This machine's address between the tunnels' ends."""
_SSHD = (
    *("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no"),
    *("-o", "PermitRootLogin=prohibit-password", "-o", "Subsystem=sftp internal-sftp"),
)


def run(*words: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """A program's output."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout}"
    return done.stdout


@dataclass
class Testbed:
    """The hosts; ``site`` is their controller."""

    __test__ = False
    site: Site
    home: Path = field(default_factory=lambda: Path(os.environ.get("TESTBED_HOME", "/var/tmp/testbed")))
    relays: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the compute hosts have beside the guide's file."""

    def call(self, *words: str, check: bool = True) -> str:
        own = {"TESTBED_HOME": str(self.home), "TESTBED_HOSTS": " ".join(HOSTS)}
        own |= {"TESTBED_OVS": "1", "TESTBED_SSHD": "1"}
        return run(str(SCRIPT), *words, check=check, env={**os.environ, **own})

    def inside(self, host: str, *command: str) -> str:
        return self.call("exec", host, *command)

    # -- hosts --
    def up(self) -> None:
        packages.ensure(PACKAGES, self.site.directory / "apt.log", say)
        self._join_tunnels()
        for host in HOSTS:
            self.host_up(host)
            for port in self.ports(host):  # of a run before that was interrupted: a test bed keeps its files
                self.inside(host, "ovs-vsctl", "del-port", port)

    def down(self) -> None:
        for host in HOSTS:
            for name in ("nova-compute", "ovn-controller"):
                self.call("stop", host, name, check=False)
            self._stop_relay(host)
        self.call("down", check=False)
        self._ovs("--if-exists", "del-br", "br-phy", check=False)
        self._ovs("set", "open", ".", "external_ids:ovn-encap-ip=127.0.0.1", check=False)
        run("ip", "link", "delete", "tbu0", check=False)

    def host_up(self, host: str) -> None:
        """The host, its network and its keys; no nova-compute yet."""
        say(f"{host} starts")
        self.call("up", host)
        self._relay(host)
        remote = ["external_ids:ovn-remote=tcp:127.0.0.1:6642", "external_ids:ovn-bridge=br-int"]
        self.inside(host, "ovs-vsctl", "set", "open", ".", *remote, "external_ids:ovn-monitor-all=true")
        self.inside(host, "ovs-vsctl", "set", "bridge", "br-int", "fail_mode=secure")
        self.inside(host, "mkdir", "-p", "/run/ovn")
        self.call("spawn", host, "ovn-controller", "ovn-controller", "unix:/run/openvswitch/db.sock")
        # The test bed's own sshd knows no SFTP, which scp speaks by now.
        self.call("exec", host, "pkill", "-x", "sshd", check=False)
        self.inside(host, "mkdir", "-p", "/run/sshd")
        keys = ["-h", str(self.home / host / "ssh" / "hostkey"), "-o", f"ListenAddress={self.address(host)}"]
        known = f"AuthorizedKeysFile={self.home / 'ssh' / 'authorized_keys'}"
        self.call("spawn", host, "sshd", *_SSHD, *keys, "-o", known)
        self.inside(host, "mount", "--bind", str(self.home / "ssh" / "config"), "/etc/ssh/ssh_config")
        self.site.follow("The key", on="compute1", LIBVIRT_DEFAULT_URI=self.uri(host))

    def crash(self, host: str) -> None:
        """As if its plug was pulled."""
        say(f"{host} loses its power")
        self.call("crash", host)
        self._stop_relay(host)

    def address(self, host: str) -> str:
        return f"10.213.7.{11 + HOSTS.index(host)}"

    def uri(self, host: str) -> str:
        return self.call("uri", host).strip()

    def log(self, host: str) -> str:
        return (self.home / host / "spawn" / "nova-compute.log").read_text(errors="replace")

    def told(self, server: str) -> str:
        """What the services logged of a server, and their errors: for whoever reads why a test failed."""
        logs = {host: self.log(host) for host in HOSTS}
        logs |= {path.stem: path.read_text(errors="replace") for path in self.site.directory.glob("*.log")}
        found = (
            f"{name}: {line}"
            for name, text in logs.items()
            for line in text.splitlines()
            if server in line or " ERROR " in line
        )
        return "\n".join(list(found)[-300:])

    def ports(self, host: str) -> list[str]:
        """Ports of guests, there or gone, on its integration bridge."""
        listed = self.inside(host, "ovs-vsctl", "list-ports", "br-int").split()
        return [port for port in listed if port.startswith("tap")]

    def guests(self, host: str) -> set[str]:
        """UUIDs of the domains there, running or not."""
        return set(run("virsh", "-q", "-c", self.uri(host), "list", "--all", "--uuid").split())

    # -- nova-compute --
    def serve(self, *hosts: str, **settings: Mapping[str, Any]) -> None:
        """(Re)start nova-compute with these sections besides, and wait until it reports."""
        for host in hosts or HOSTS:
            self._write(host, settings)
            words = [sys.executable, "-m", "kilonova.services.compute", "--config-file", str(self._file(host))]
            self.call("spawn", host, "nova-compute", *words)
        for host in hosts or HOSTS:
            until(f"nova-compute on {host}", lambda: "nova-compute is up" in self.log(host), READY_SECONDS, pause=0.5)  # noqa: B023
            until(f"{host} reports", lambda: self._up(host), READY_SECONDS, pause=1)  # noqa: B023  # called at once

    def _up(self, host: str) -> bool:
        rows = self.site.api("GET", f"/os-services?host={host}")["services"]
        return any(row["state"] == "up" or row["forced_down"] for row in rows)

    def _file(self, host: str) -> Path:
        return self.site.directory / f"{host}.conf"

    def _write(self, host: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """The controller's file without what a compute host does not have, as the guides say."""
        (block,) = [b for b in GUIDE_BLOCKS if b.words == ("/etc/nova/nova.conf", "controller")]
        parser = configparser.RawConfigParser()
        parser.read_string(here(block.text))
        sections: dict[str, dict[str, Any]] = {
            name: dict(parser[name]) for name in parser.sections() if name != "neutron"
        }
        sections = {"DEFAULT": dict(parser.defaults()), **{n: _own(parser, n) for n in sections}}
        sections["DEFAULT"] |= {
            "my_ip": self.address(host),
            "enabled_apis": None,
            "compute_driver": "libvirt.LibvirtDriver",
            "state_path": self.site.directory / host,
            "instances_path": self.home / "instances",
            "reserved_host_memory_mb": 0,
        }
        sections["vnc"]["novncproxy_base_url"] = None
        sections["libvirt"] |= {"virt_type": "qemu", "tb_cache_size": 64}
        for name, rows in settings.items():
            sections[name] = {**sections.get(name, {}), **rows}
        write_options(self._file(host), sections)
        (self.home / host / "spawn" / "nova-compute.log").unlink(missing_ok=True)

    # -- networks --
    def _ovs(self, *words: str, check: bool = True) -> str:
        socket = Path(os.environ.get("STACK_OVS_RUN", "/var/run/openvswitch")) / "db.sock"
        return run("ovs-vsctl", f"--db=unix:{socket}", *words, check=check)

    def _join_tunnels(self) -> None:
        """This machine's Open vSwitch gets an end of the hosts' tunnels."""
        self.call("up", HOSTS[0])  # makes the bridge
        run("ip", "link", "delete", "tbu0", check=False)
        run("ip", "link", "add", "tbu0", "type", "veth", "peer", "name", "tbu0p")
        run("ip", "link", "set", "tbu0", "master", "tbbr0", "up")
        run("ip", "link", "set", "tbu0p", "up")
        self._ovs("--may-exist", "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev")
        self._ovs("--may-exist", "add-port", "br-phy", "tbu0p")
        run("ip", "address", "replace", f"{GATEWAY}/24", "dev", "br-phy")
        run("ip", "link", "set", "br-phy", "up")
        self._ovs("set", "open", ".", f"external_ids:ovn-encap-ip={GATEWAY}")

    def _relay(self, host: str) -> None:
        if host in self.relays:
            return
        listed = run("ss", "-Hltn", "src", "127.0.0.1")
        ceph = [int(port) for port in re.findall(r"127\.0\.0\.1:(68\d\d)\b", listed)]
        pid = (self.home / host / "pid").read_text().strip()
        words = [sys.executable, str(Path(__file__).with_name("relay.py")), pid, *map(str, _once((*PORTS, *ceph)))]
        self.relays[host] = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        out = self.relays[host].stdout
        assert out
        assert out.readline() == "ready\n"

    def _stop_relay(self, host: str) -> None:
        process = self.relays.pop(host, None)
        if process is not None:
            process.kill()
            process.communicate()


def _once(ports: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(ports))


def _own(parser: configparser.RawConfigParser, name: str) -> dict[str, Any]:
    """A section without the defaults that configparser mixes in."""
    return {key: value for key, value in parser[name].items() if key not in parser.defaults()}
