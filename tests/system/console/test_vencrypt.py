"""A real QEMU's VNC behind TLS with certificates: the proxy settles it, the browser's side needs none of it."""

import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from tests.authority import Authority
from tests.service.console.test_novnc import frame, masked, upgrade
from tests.system.console.test_novnc import listening_port

from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import NoVncOptions, VncOptions
from kilonova.console.target import ConsoleTarget
from kilonova.kit.clock import SystemClock

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
_CLOSE = 8


class Guests:
    """A QEMU with VeNCrypt that wants clients' certificates, and one without security."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.authority.sign("server", "127.0.0.1")
        credentials = f"tls-creds-x509,id=tls,endpoint=server,dir={folder},verify-peer=on"
        self._folder = folder
        self.pids: list[int] = []
        self.encrypted = self._start("-object", credentials, "-vnc", "127.0.0.1:70,to=99,tls-creds=tls")
        self.plain = self._start("-vnc", "127.0.0.1:70,to=99")

    def _start(self, *more: str) -> int:
        pidfile = self._folder / f"pid{len(self.pids)}"
        command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-nic", "none", "-S", "-daemonize"]
        subprocess.run([*command, "-pidfile", str(pidfile), *more], check=True, timeout=30)
        self.pids.append(int(pidfile.read_text()))
        return listening_port(self.pids[-1])


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    made = Guests(tmp_path_factory.mktemp("vnc"))
    try:
        yield made
    finally:
        for pid in made.pids:
            os.kill(pid, 15)


@contextmanager
def proxy(guests: Guests, **more: Any) -> Iterator[NoVncProxy]:
    """Tokens are host and port, ``127.0.0.1_5970``."""

    def redeem(token: str) -> ConsoleTarget:
        host, _, port = token.replace("-", ".").partition("_")
        expires = SystemClock().now() + timedelta(minutes=10)
        return ConsoleTarget(host=host, port=int(port), server="s1", kind="novnc", expires=expires)

    options = VncOptions(
        novncproxy_host="127.0.0.1", novncproxy_port=0, vencrypt_ca_certs=str(guests.authority.ca), **more
    )
    made = NoVncProxy(NoVncOptions(vnc=options), redeem)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def with_certificate(guests: Guests) -> dict[str, Any]:
    certificate, key = guests.authority.sign("client")
    return {"vencrypt_client_cert": str(certificate), "vencrypt_client_key": str(key)}


class Browser:
    """As much of a VNC client as reaches the guest's screen."""

    def __init__(self, port: int, token: str) -> None:
        self._end = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.head = upgrade(self._end, f"/?token={token}").decode()
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def read(self, count: int) -> bytes:
        while len(self._kept) < count:
            opcode, payload = frame(self._end)
            if opcode == _CLOSE:
                raise ConnectionError("closed")
            self._kept += payload
        found, self._kept = self._kept[:count], self._kept[count:]
        return found

    def send(self, payload: bytes) -> None:
        self._end.sendall(masked(payload))

    def screen(self) -> tuple[int, int]:
        """Through version, security and initialisation (RFC 6143, 7.1 to 7.3)."""
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        assert self.read(self.read(1)[0]) == b"\x01"
        self.send(b"\x01")
        assert self.read(4) == bytes(4)
        self.send(b"\x01")
        width, height = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.read(int.from_bytes(self.read(4)))
        return width, height

    def picture(self, width: int, height: int) -> bytes:
        """All pixels as sent, raw (7.5.3, 7.6.1): megabytes through TLS."""
        self.send(struct.pack(">BBH i", 2, 0, 1, 0))
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        assert self.read(1) == b"\x00"
        _, count = struct.unpack(">BH", self.read(3))
        assert count == 1
        *_, wide, high, encoding = struct.unpack(">HHHHi", self.read(12))
        assert encoding == 0
        return self.read(wide * high * 4)


@pytest.mark.parametrize("schemes", [["vencrypt"], ["vencrypt", "none"]])
def test_a_browser_sees_a_screen_behind_tls(guests: Guests, schemes: list[str]) -> None:
    options = with_certificate(guests)
    with (
        proxy(guests, auth_schemes=schemes, **options) as made,
        Browser(made.port, f"127-0-0-1_{guests.encrypted}") as browser,
    ):
        width, height = browser.screen()
        assert len(browser.picture(width, height)) == width * height * 4


@pytest.mark.parametrize(
    ("schemes", "host", "guest", "words"),
    [
        (["vencrypt", "none"], "127-0-0-1", "plain", "101 "),
        (["vencrypt"], "127-0-0-1", "plain", "502 The server's console offers none of [vnc] auth_schemes = vencrypt"),
        (["none"], "127-0-0-1", "plain", "101 "),
        (["vencrypt"], "localhost", "encrypted", "502 TLS with the server's compute host localhost fails"),
    ],
)
def test_what_a_host_offers_and_proves_decides(
    guests: Guests, schemes: list[str], host: str, guest: str, words: str
) -> None:
    with (
        proxy(guests, auth_schemes=schemes, **with_certificate(guests)) as made,
        Browser(made.port, f"{host}_{getattr(guests, guest)}") as browser,
    ):
        assert browser.head.startswith(f"HTTP/1.1 {words}")
        if words == "101 ":
            assert min(browser.screen()) > 0


def test_the_compute_host_wants_our_certificate(guests: Guests) -> None:
    with (
        proxy(guests, auth_schemes=["vencrypt"]) as made,
        Browser(made.port, f"127-0-0-1_{guests.encrypted}") as browser,
        pytest.raises(ConnectionError),
    ):
        browser.screen()
