"""A cloud of ours on all neighbours, with this machine as a compute host, and the guide's commands run in it."""

import configparser
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deployment.client import Client, command_over, token, until
from deployment.guide import GUIDE, Block, Host, blocks, here
from deployment.services import Deployment
from deployment.stack import ROOT, Stack
from tests.contract.hypervisor.conftest import Libvirtd

USER_DATA = """#!/bin/sh
# Says what disks there are, whether the root disk was written to before, and that it runs.
mark=$(dd if=/dev/vda bs=1M skip=900 count=1 2>/dev/null | head -c 6)
if [ "$mark" = walked ]; then echo "GUEST MARK found"; else
  echo walked | dd of=/dev/vda bs=1M seek=900 conv=notrunc 2>/dev/null; sync; echo "GUEST MARK new"
fi
n=0; old=
# Beside the rest: the guest looks after new NICs only when this has ended.
while sleep 1; do
  n=$((n+1)); now=$(ls /sys/block | grep -E '^(vd|sd)' | tr '\\n' ' ')
  [ "$now" = "$old" ] || echo "GUEST DISKS $now"
  old=$now; echo "GUEST TICK $n"
done &
"""
PUBLIC = "172.24.4."
COMPUTE = "http://127.0.0.1:8774/v2.1"
SWEEP = """. ./admin-openrc
PROJECT=$(openstack project show demo -f value -c id)
for ID in $(openstack floating ip list --project $PROJECT -f value -c ID); do openstack floating ip delete $ID; done
PORTS=$(openstack port list --project $PROJECT --long -f value -c ID -c "Device Owner" | sed -n 's/ compute:.*//p')
for ID in $PORTS; do
    openstack port delete $ID
done
. ./demo-openrc
for ID in $(openstack security group list -f value -c ID -c Name | sed -n 's/ web$//p'); do
    openstack security group delete $ID
done
for ID in $(openstack image list --private -f value -c ID); do openstack image delete $ID; done
"""
"""The companion services outlive a run that was broken off."""
SECRET = "c3b1f7a2-1d6e-4e0b-8c55-7b2f9d0a4e61"
"""UUID of the libvirt secret that the companion Cinder names."""
READY_SECONDS = 240
"""For a guest under emulation on a busy machine."""


def say(words: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"walk {time.strftime('%H:%M:%S')} {words}\n")


@dataclass
class Site:
    """The controller, and commands as the guide has them."""

    directory: Path
    stack: Stack
    libvirtd: Libvirtd = field(init=False)
    deployment: Deployment = field(init=False)
    host: Host = field(init=False)
    before: set[str] = field(default_factory=set)
    """Ports of servers of earlier runs that were broken off."""
    words: dict[str, str] = field(default_factory=dict)
    """What the guide calls a thing → what it is here, beside the usual."""
    _login: dict[str, str] = field(default_factory=dict)
    _followed: set[str] = field(default_factory=set)
    _stops: ExitStack = field(default_factory=ExitStack)

    def up(self) -> None:
        """Everything but other compute hosts."""
        home = self.directory / "libvirtd"
        home.mkdir()
        self.libvirtd = _libvirtd(home)
        self._stops.callback(self.libvirtd.stop)
        self.deployment = Deployment(self.directory, self.stack, settings=self._settings())
        self.deployment.prepare()
        self._stops.callback(self.deployment.stop)
        self.deployment.start()
        say("our programs are up")
        self.host = Host(self.directory / "controller")
        self.host.directory.mkdir()
        self._login = self.stack.login()
        for who in ("admin", "demo"):
            login = self.stack.login(*([who, who] if who != "admin" else []))
            login = {**login, "OS_COMPUTE_API_VERSION": "2.90", "OS_PLACEMENT_API_VERSION": "1.39"}
            lines = [f"export {k}={shlex.quote(v)}\n" for k, v in login.items() if k != "PATH"]
            self.host.write(f"{who}-openrc", "".join(lines))
        self.host.write("user-data", USER_DATA)
        self._preload()
        self.words["RBDSECRETUUID"] = SECRET
        self.words["$(ceph auth get-key client.cinder)"] = self._ceph_key()
        self._sweep()
        self.before = self.plugged()
        if not self.ask("image list --name tinyguest"):
            done = self.stack.run("image", seconds=1200)
            assert done.returncode == 0, done.stdout + done.stderr

    def _preload(self) -> None:
        """The stock client, in commands that start at once: seconds of processor time each, else."""
        path = self.directory / "openstack.socket"
        command = self.host.directory / "bin" / "openstack"
        command.parent.mkdir()
        command.write_text(command_over(path))
        command.chmod(0o755)
        words = [sys.executable, str(ROOT / "tools" / "deployment" / "preloaded.py"), str(path)]
        server = self._stops.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        self._stops.callback(server.terminate)
        assert server.stdout
        assert server.stdout.readline() == "ready\n"

    def _sweep(self) -> None:
        self.shell(SWEEP)
        for row in self.ask("volume list --all-projects"):
            words = f"openstack volume set --state available --detached {row['ID']}"
            self.shell(f". ./admin-openrc\n{words}\nopenstack volume delete --purge {row['ID']}")

    def plugged(self) -> set[str]:
        """Ports that Neutron has of servers, of this run."""
        rows = self.ask("port list --long")
        return {row["ID"] for row in rows if row["Device Owner"].startswith("compute:")} - self.before

    def down(self) -> None:
        """Guests end with their libvirtd."""
        self._stops.close()

    def _ceph_key(self) -> str:
        found = re.search(r"^key +(\S+)", self.stack.run("secret").stdout, re.MULTILINE)
        assert found
        return found[1]

    def _settings(self) -> dict[str, dict[str, Any]]:
        """Those of this test bed, and of the guide's files beside ``nova.conf``."""
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "compute_driver": "libvirt.LibvirtDriver",
                "vif_plugging_timeout": None,
                "allow_resize_to_same_host": None,
            },
            "libvirt": {"virt_type": "qemu", "connection_uri": self.libvirtd.uri, "tb_cache_size": 64},
            "neutron": {"service_metadata_proxy": "true", "metadata_proxy_shared_secret": "metadatasecret"},
            "cinder": {"region_name": "RegionOne"},
        }
        for block in GUIDE_BLOCKS:
            if block.language == "ini" and block.words and block.words[0].startswith("/etc/nova/nova.conf.d/"):
                parser = configparser.RawConfigParser()
                parser.read_string(here(block.text))
                for name in parser.sections():
                    sections.setdefault(name, {}).update(parser[name])
        return sections

    # -- the guide --
    def follow(self, step: str, on: str = "controller", **variables: str) -> str:
        """Run the commands that the guide has under a heading for a host; what they printed."""
        found = [b for b in GUIDE_BLOCKS if b.step == step and b.language == "sh" and b.words == (on,)]
        self._followed.add(step)
        assert found, f"the guide has no commands for {on} under {step!r}"
        return "".join(self.shell(block.text, **variables) for block in found)

    def once(self, *steps: str) -> None:
        """Follow those that nobody has followed before."""
        for step in steps:
            if step not in self._followed:
                self.follow(step)

    def shell(self, script: str, **variables: str) -> str:
        """Commands, which have to succeed."""
        for word, meant in self.words.items():
            script = script.replace(word, meant)
        say(script.strip().splitlines()[-1])
        environment = {**self.host.environment(), **variables}
        environment["PATH"] = f"{self.host.directory / 'bin'}:{environment['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", here(script)],
            env=environment,
            cwd=self.host.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{script}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def ask(self, words: str, who: str = "admin") -> Any:
        """The stock client's answer, read."""
        return json.loads(self.shell(f". ./{who}-openrc\nopenstack {words} -f json 2>/dev/null"))

    # -- guests --
    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The Compute API's answer to an administrator."""
        with closing(Client(COMPUTE, token(self._login)[0], "2.95")) as client:
            return client.call(method, path, body)

    def server(self, name: str) -> dict[str, Any]:
        """Its document; empty for none."""
        found = self.api("GET", f"/servers/detail?all_tenants=1&name=^{name}$")["servers"]
        return dict(found[0]) if found else {}

    def addresses(self, name: str) -> list[str]:
        """Fixed ones first."""
        found = [each for network in self.server(name)["addresses"].values() for each in network]
        return [str(each["addr"]) for each in sorted(found, key=lambda each: each["OS-EXT-IPS:type"])]

    def floating(self, name: str) -> str:
        """Its floating IP, as soon as Neutron has told of it."""

        def look() -> str:
            return next((found for found in self.addresses(name) if found.startswith(PUBLIC)), "")

        return str(until(f"a floating IP of {name}", look, pause=1))

    def console(self, name: str) -> str:
        """What the guest wrote, carriage returns left out."""
        path = f"/servers/{self.server(name)['id']}/action"
        return str(self.api("POST", path, {"os-getConsoleOutput": {}})["output"]).replace("\r", "")

    def wrote(self, name: str, pattern: str, seconds: float = READY_SECONDS) -> "re.Match[str]":
        """Wait for a line of the guest's console; the last that fits."""

        def look() -> "re.Match[str] | None":
            found = list(re.finditer(pattern, self.console(name), re.MULTILINE))
            return found[-1] if found else None

        found: re.Match[str] = until(f"{pattern} on the console of {name}", look, seconds, pause=2)
        return found

    def ticks(self, name: str) -> int:
        """How often the guest has said that it runs."""
        return int(self.wrote(name, r"^GUEST TICK (\d+)$")[1])


GUIDE_BLOCKS: list[Block] = blocks(GUIDE.read_text())


def _libvirtd(home: Path) -> Libvirtd:
    """In this network, and with the companion Open vSwitch where libvirt looks for it."""
    usual, used = Path("/run/openvswitch"), os.environ.get("STACK_OVS_RUN", "/var/run/openvswitch")
    usual.mkdir(exist_ok=True)
    beside = {"PRIVATE_BESIDE": str(os.getpid())}
    found = Libvirtd(home, **beside, **({} if Path(used).resolve() == usual else {"PRIVATE_DISKS": f"{used}:{usual}"}))
    found.wait((home / "uri").exists, "libvirtd did not start")
    return found


class Pings(AbstractContextManager["Pings"]):
    """Pings an address twice a second; ``gap`` is the longest time without an answer, in seconds."""

    def __init__(self, address: str) -> None:
        self._command = ["ping", "-D", "-i", "0.5", address]
        self._text = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._text = self._process.communicate()[0]

    @property
    def gap(self) -> float:
        times = [float(found) for found in re.findall(r"^\[([\d.]+)\] .* time=", self._text, re.MULTILINE)]
        assert times, "no ping was answered"
        return max((later - sooner for sooner, later in itertools.pairwise(times)), default=0.0)


def answers(address: str, count: int = 3, seconds: int = 30) -> bool:
    """So many pings are answered within the time."""
    command = ["ping", "-c", str(count), "-w", str(seconds), address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
