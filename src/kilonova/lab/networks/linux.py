"""The plumbing of a Linux host, with the programs ``ip``, ``nft`` and ``dnsmasq``. Needs root.

Ours are: bridges whose alias says ``kilonova:<network id>``, the nftables tables named ``kilonova``, and the processes
whose pid files are below the state path. Nothing else is touched, except ``net.ipv4.ip_forward``, which teardown puts
back.
"""

import json
import logging
import shutil
import subprocess
import threading
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from kilonova.lab.networks import firewall
from kilonova.lab.networks.dnsmasq import Dnsmasqs
from kilonova.lab.networks.errors import PlumbingFailed
from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.plan import Bridge, HostPlan
from kilonova.lab.networks.plumbing import Abilities, Report
from kilonova.lab.networks.processes import run, write

LOG = logging.getLogger(__name__)
_ALIAS = "kilonova:"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_PROBE = "kilonova_probe"


class LinuxPlumbing:
    """Plumbing of this host (of this network namespace, precisely)."""

    def __init__(self, options: LabNetworkOptions) -> None:
        self._state = Path(options.state_path)
        self._dnsmasqs = Dnsmasqs(self._state / "dhcp", options.dhcp_lease_seconds)
        self._lock = threading.RLock()
        self._abilities: Abilities | None = None

    def apply(self, plan: HostPlan) -> Report:
        with self._lock:
            self._state.mkdir(parents=True, exist_ok=True)
            self._forward()
            # Rules first: no bridge passes a packet before they hold.
            run("nft", "-f", "-", text=firewall.script(plan, anti_spoofing=self.abilities().anti_spoofing))
            failed = self._bridges(plan)
            failed |= self._dhcp(plan, skip=set(failed))
            return Report(failed)

    def teardown(self) -> None:
        with self._lock:
            for network_id in list(self._dnsmasqs.known()):
                self._dnsmasqs.forget(network_id)
            for name in _our_bridges(_links()):
                run("ip", "link", "delete", name)
            run("nft", "-f", "-", text=firewall.removal(anti_spoofing=self.abilities().anti_spoofing))
            before = self._state / "ip_forward"
            if before.exists():
                _FORWARD.write_text(before.read_text())
                before.unlink()

    def abilities(self) -> Abilities:
        with self._lock:
            if self._abilities is None:
                self._abilities = _probe()
            return self._abilities

    def host_networks(self) -> Sequence[IPv4Network]:
        links = _links()
        ours = _our_bridges(links)
        return [
            IPv4Network(f"{entry['local']}/{entry['prefixlen']}", strict=False)
            for link in links
            if link["ifname"] not in ours
            for entry in link.get("addr_info", ())
            if entry.get("family") == "inet"
        ]

    def _forward(self) -> None:
        current = _FORWARD.read_text()
        if current.strip() != "1":
            write(self._state / "ip_forward", current)
            _FORWARD.write_text("1")

    def _bridges(self, plan: HostPlan) -> dict[str, str]:
        links = _links()
        failed = {}
        wanted = {bridge.name for bridge in plan.bridges}
        for name in _our_bridges(links):
            if name not in wanted:
                run("ip", "link", "delete", name)
        known = {link["ifname"]: link for link in links}
        for bridge in plan.bridges:
            try:
                self._bridge(bridge, known.get(bridge.name))
            except PlumbingFailed as error:
                failed[bridge.network_id] = str(error)
        return failed

    def _bridge(self, bridge: Bridge, link: dict[str, Any] | None) -> None:
        alias = f"{_ALIAS}{bridge.network_id}"
        if link is None:
            run("ip", "link", "add", bridge.name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        elif link.get("ifalias") != alias:
            raise PlumbingFailed(reason=f"interface {bridge.name} exists and is not ours")
        if link is None or link.get("mtu") != bridge.mtu or "UP" not in link.get("flags", ()):
            # The MAC address is fixed: else it would follow the bridge's members and guests would lose their gateway.
            settings = ("alias", alias, "address", _mac(bridge.network_id), "mtu", str(bridge.mtu), "up")
            run("ip", "link", "set", bridge.name, *settings)
            _tune(bridge.name)
            if self.abilities().bridged_filter:
                run("ip", "link", "set", bridge.name, "type", "bridge", "nf_call_iptables", "1")
        present = _addresses(link or {})
        for address in present:
            if address not in bridge.addresses:
                run("ip", "address", "delete", address, "dev", bridge.name)
        for address in bridge.addresses:
            if address not in present:
                run("ip", "address", "add", address, "dev", bridge.name)

    def _dhcp(self, plan: HostPlan, skip: set[str]) -> dict[str, str]:
        failed = {}
        wanted = {entry.network_id for entry in plan.dhcp}
        for network_id in list(self._dnsmasqs.known()):
            if network_id not in wanted:
                self._dnsmasqs.forget(network_id)
        for entry in plan.dhcp:
            if entry.network_id not in skip:
                try:
                    self._dnsmasqs.serve(entry)
                except PlumbingFailed as error:
                    failed[entry.network_id] = str(error)
        return failed


def _links() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("ip", "-json", "-details", "address", "show"))
    return found


def _our_bridges(links: Sequence[dict[str, Any]]) -> list[str]:
    return [link["ifname"] for link in links if str(link.get("ifalias", "")).startswith(_ALIAS)]


def _addresses(link: dict[str, Any]) -> list[str]:
    entries = [entry for entry in link.get("addr_info", ()) if entry.get("family") == "inet"]
    return [f"{entry['local']}/{entry['prefixlen']}" for entry in entries]


def _tune(bridge: str) -> None:
    # Without it, removing an address takes along the others of its subnet that came later.
    Path(f"/proc/sys/net/ipv4/conf/{bridge}/promote_secondaries").write_text("1")
    # Hosts may have no IPv6 at all.
    quiet = Path(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6")
    if quiet.exists():
        quiet.write_text("1")


def _mac(network_id: str) -> str:
    return "fe:16:3e:" + ":".join(f"{byte:02x}" for byte in sha256(network_id.encode()).digest()[:3])


def _probe() -> Abilities:
    """Ask the kernel, by trying: what nftables' bridge family takes, and whether br_netfilter is there."""
    if not _BRIDGED.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    bridged = _BRIDGED.exists()
    rules = "ether type arp arp saddr ip 0.0.0.0 accept\nether type ip ip saddr 0.0.0.0 udp sport 68 accept"
    chain = f"chain c {{\ntype filter hook prerouting priority -200;\n{rules}\n}}"
    text = f"table bridge {_PROBE} {{\n{chain}\n}}\ndelete table bridge {_PROBE}\n"
    try:
        run("nft", "-f", "-", text=text)
        spoofing = True
    except PlumbingFailed as error:
        LOG.warning("No anti-spoofing: nftables' bridge family is not usable here: %s", error)
        spoofing = False
    if not bridged:
        LOG.warning("No br_netfilter: security groups do not hold between guests on one network")
    return Abilities(routed_filter=True, bridged_filter=bridged, anti_spoofing=spoofing)
