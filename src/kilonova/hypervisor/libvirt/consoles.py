"""What a guest says on its serial port, and where its screen is."""

import os
from pathlib import Path

from kilonova.hypervisor.contracts import ConsoleEndpoint, NoSuchConsole
from kilonova.hypervisor.libvirt.connection import LiveDomain
from kilonova.hypervisor.libvirt.ground import Ground, serial_ports
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read
from kilonova.hypervisor.transitions import must_act

MAX_LOG_BYTES = 4 * 1024**2
"""Above virtlogd's own bound (2 MiB), so this only acts where QEMU writes the file itself."""
_KEPT_BYTES = MAX_LOG_BYTES // 4


def tail(log: Path, limit: int) -> bytes:
    """The last ``limit`` bytes of a log and of what was rotated out of it (``.0`` is the newer part)."""
    kept = b""
    for part in (log, log.with_name(log.name + ".0")):
        missing = limit - len(kept)
        if missing <= 0:
            break
        try:
            with part.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(0, size - missing))
                kept = stream.read(missing) + kept
        except FileNotFoundError:
            continue
    return kept


def bound(log: Path) -> None:
    """Cut a log that grew too long back in place: QEMU holds it open for appending, so it cannot be moved."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.with_name(log.name + ".0").write_bytes(tail(log, _KEPT_BYTES))
        os.truncate(log, 0)


class ConsoleReader(Ground):
    """Implements ``contracts.Console``."""

    def output(self, uuid: str, limit: int) -> bytes:
        self.need(uuid)
        log = self.storage.folder(uuid).console_log
        bound(log)
        return tail(log, limit)

    def endpoint(self, uuid: str, kind: str) -> ConsoleEndpoint:
        domain = self.need(uuid)
        options = self.options
        offered = {
            "novnc": options.vnc.enabled,
            "spice-html5": options.spice.enabled,
            "spice-direct": options.spice.enabled,
            "serial": options.serial.enabled,
        }
        if not offered.get(kind):
            raise NoSuchConsole(kind=kind)
        must_act("console", uuid, domain.power())
        if kind == "serial":
            for port in serial_ports(domain):
                return ConsoleEndpoint(kind=kind, host=options.serial.proxyclient_address, port=port)
            raise NoSuchConsole(kind=kind)
        return self._screen(domain, kind)

    def _screen(self, domain: LiveDomain, kind: str) -> ConsoleEndpoint:
        wanted, section = ("vnc", self.options.vnc) if kind == "novnc" else ("spice", self.options.spice)
        for screen in read(xml.Domain, domain.document()).devices.graphics:
            if screen.type == wanted and screen.port and screen.port > 0:
                tls = screen.tls_port if screen.tls_port and screen.tls_port > 0 else None
                host = section.server_proxyclient_address
                return ConsoleEndpoint(kind=kind, host=host, port=screen.port, tls_port=tls)
        raise NoSuchConsole(kind=kind)
