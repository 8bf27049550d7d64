"""Does anybody answer at the addresses of consoles that users are told?"""

import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from kilonova.api.wiring import ConsoleUrlOptions, SerialUrlOptions, SpiceUrlOptions
from kilonova.cli.doctor.contract import Finding, Patient, doubtful

_SECONDS = 3.0
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def look(patient: Patient) -> Iterator[Finding]:
    """Each kind of console that is offered."""
    if not patient.controls:
        return
    read = patient.configuration.section
    vnc, spice, serial = read(ConsoleUrlOptions), read(SpiceUrlOptions), read(SerialUrlOptions)
    for enabled, option, url, program in (
        (vnc.enabled, "[vnc] novncproxy_base_url", vnc.novncproxy_base_url, "nova-novncproxy"),
        (spice.enabled, "[spice] html5proxy_base_url", spice.html5proxy_base_url, "nova-spicehtml5proxy"),
        (serial.enabled, "[serial_console] base_url", serial.base_url, "nova-serialproxy"),
    ):
        if enabled:
            yield _probed(option, url, program)


def _probed(option: str, url: str, program: str) -> Finding:
    try:
        parts = urlsplit(url)
        place = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        with closing(socket.create_connection(place, timeout=_SECONDS)):
            return Finding("Consoles", f"{place[0]}:{place[1]} answers ({option})")
    except (OSError, ValueError, KeyError) as error:
        fix = f"start {program}, or set {option} to where browsers reach it"
        return doubtful("Consoles", f"{option} = {url}: {error}", fix)
