"""One dnsmasq per network, as processes of ours with pid files."""

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from kilonova.lab.networks import dhcp, processes
from kilonova.lab.networks.plan import Dhcp


class Dnsmasqs:
    """Below ``directory``, one directory per network."""

    def __init__(self, directory: Path, lease_seconds: int) -> None:
        self._directory = directory
        self._lease_seconds = lease_seconds

    def serve(self, wanted: Dhcp) -> None:
        """Running with this configuration and these guests. Raises PlumbingFailed."""
        directory = self._directory / wanted.network_id
        directory.mkdir(parents=True, exist_ok=True)
        text = dhcp.configuration(
            wanted, directory, user=pwd.getpwuid(os.geteuid()).pw_name, lease_seconds=self._lease_seconds
        )
        changed = processes.write(directory / "conf", text)
        guests = processes.write(directory / "hosts", dhcp.hosts(wanted))
        guests = processes.write(directory / "names", dhcp.names(wanted)) or guests
        before = _read(directory / "leases")
        stale = dhcp.live_leases(before, wanted.leases) != before
        pid = processes.running(directory / "pid", str(directory / "conf"))
        if pid is None or changed or stale:
            processes.stop(directory / "pid", str(directory / "conf"))
            # Read again: it wrote the file a last time while ending.
            kept = dhcp.live_leases(_read(directory / "leases"), wanted.leases)
            processes.write(directory / "leases", kept)
            processes.run("dnsmasq", f"--conf-file={directory / 'conf'}")
        elif guests:
            processes.reload(pid)

    def alive(self, network_id: str) -> bool:
        """Is the network's dnsmasq running?"""
        directory = self._directory / network_id
        return processes.running(directory / "pid", str(directory / "conf")) is not None

    def known(self) -> Iterator[str]:
        """Networks that have, or had, a dnsmasq."""
        if self._directory.is_dir():
            yield from sorted(path.name for path in self._directory.iterdir() if path.is_dir())

    def forget(self, network_id: str) -> None:
        """Stop it and remove its files."""
        directory = self._directory / network_id
        processes.stop(directory / "pid", str(directory / "conf"))
        shutil.rmtree(directory, ignore_errors=True)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
