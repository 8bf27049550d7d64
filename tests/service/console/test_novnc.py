"""The proxy over its port, with a plain TCP server in the guest's place."""

import http.client
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import (
    ConsoleOptions,
    ListenerOptions,
    NoVncOptions,
    SerialProxyOptions,
    SessionOptions,
    SpiceProxyOptions,
    VncOptions,
)
from kilonova.console.serial import SerialProxy
from kilonova.console.spice import SpiceProxy
from kilonova.console.target import ConsoleTarget
from kilonova.kit.clock import ManualClock
from kilonova.kit.errors import Unavailable
from kilonova.kit.http.serve import PortTaken
from kilonova.kit.options import from_mapping

CLOCK = ManualClock()
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Guest:
    """Greets as a VNC server does, then echoes; understands CONNECT when told a path."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.path: str | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(end,), daemon=True).start()

    def _talk(self, end: socket.socket) -> None:
        with end, suppress(ConnectionError):
            if self.path is not None:
                request = end.recv(1000).decode()
                end.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if self.path in request else b"HTTP/1.1 404 No\r\n\r\n")
            end.sendall(b"RFB 003.008\n")
            while data := end.recv(100):
                end.sendall(data)


@pytest.fixture
def guest() -> Iterator[Guest]:
    made = Guest()
    yield made
    made.listener.close()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "vnc_lite.html").write_text("<title>noVNC</title>")
    (tmp_path / "app").mkdir()
    return tmp_path


@pytest.fixture
def options(pages: Path) -> NoVncOptions:
    return NoVncOptions(
        vnc=VncOptions(novncproxy_host="127.0.0.1", novncproxy_port=0),
        listener=ListenerOptions(web=str(pages), cert=str(pages / "self.pem")),
        console=ConsoleOptions(allowed_origins=["portal.example"]),
    )


class Tokens:
    def __init__(self, guest: Guest) -> None:
        later = CLOCK.now() + timedelta(minutes=10)
        good = ConsoleTarget(host="127.0.0.1", port=guest.port, server="s1", kind="novnc", expires=later)
        self.known = {
            "good": good,
            "expired": replace(good, expires=CLOCK.now()),
            "serial": replace(good, kind="serial"),
            "spice": replace(good, kind="spice-html5"),
            "dead": replace(good, port=1),
            "path": replace(good, internal_access_path="/s1"),
            "short": replace(good, expires=CLOCK.now() + timedelta(milliseconds=200)),
        }

    def redeem(self, token: str) -> ConsoleTarget | None:
        if token == "down":
            raise Unavailable("database is away")
        return self.known.get(token)


@pytest.fixture
def proxy(options: NoVncOptions, guest: Guest) -> Iterator[NoVncProxy]:
    made = NoVncProxy(options, Tokens(guest).redeem, clock=CLOCK)
    made.start()
    yield made
    made.stop()


def ask(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers.get("Location") or "", reply.read().decode() or reply.reason
    finally:
        connection.close()


def upgrade(end: socket.socket, path: str) -> bytes:
    """Ask for a WebSocket; returns all bytes of the reply's head."""
    lines = [f"GET {path} HTTP/1.1", "Host: cloud:6080", *(f"{k}: {v}" for k, v in UPGRADE.items()), "", ""]
    end.sendall("\r\n".join(lines).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += end.recv(1)
    return head


def frame(end: socket.socket) -> tuple[int, bytes]:
    """Opcode and payload of the next (unmasked) frame: RFC 6455, 5.2."""
    first, length = _exactly(end, 2)
    longer = {126: 2, 127: 8}.get(length)
    return first & 0x0F, _exactly(end, int.from_bytes(_exactly(end, longer)) if longer else length)


def _exactly(end: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = end.recv(count - len(found))
        if not part:
            raise ConnectionError("closed")
        found += part
    return found


def masked(payload: bytes) -> bytes:
    return bytes([0x82, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def test_a_session_carries_bytes_both_ways(proxy: NoVncProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as end:
        head = upgrade(end, "/?token=good")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # the accept value of RFC 6455, 1.3
        assert frame(end) == (2, b"RFB 003.008\n")
        end.sendall(masked(b"key"))
        assert frame(end) == (2, b"key")


def test_many_sessions_at_once(proxy: NoVncProxy) -> None:
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=5)) for _ in range(5)]
        for end in ends:
            upgrade(end, "/?token=good")
            frame(end)
        for number, end in enumerate(ends):
            end.sendall(masked(b"%d" % number))
        assert [frame(end) for end in ends] == [(2, b"%d" % number) for number in range(5)]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/?token=unknown", 403, "unknown or has expired"),
        ("/?token=expired", 403, "unknown or has expired"),
        ("/?token=serial", 403, "unknown or has expired"),
        ("/", 403, "token is missing"),
        ("/?token=a%0Ab", 403, "token is malformed"),
        ("/?token=" + "a" * 200, 403, "token is malformed"),
        ("/?token=dead", 502, "does not answer"),
        ("/?token=down", 503, "cannot be checked now"),
    ],
)
def test_refusals_say_why(proxy: NoVncProxy, path: str, status: int, words: str) -> None:
    found, _, text = ask(proxy.port, path, UPGRADE)
    assert (found, words in text) == (status, True)


def test_a_foreign_page_is_refused_and_a_configured_one_is_not(proxy: NoVncProxy) -> None:
    assert ask(proxy.port, "/?token=unknown", {**UPGRADE, "Origin": "http://evil"})[2].count("origin") > 0
    assert "unknown" in ask(proxy.port, "/?token=unknown", {**UPGRADE, "Origin": "http://portal.example"})[2]


def test_a_request_that_is_no_websocket_is_a_bad_request(proxy: NoVncProxy) -> None:
    broken = {name: value for name, value in UPGRADE.items() if name != "Sec-WebSocket-Key"}
    status, _, text = ask(proxy.port, "/?token=good", broken)
    assert status == 400
    assert "Sec-WebSocket-Key" in text


def test_a_console_behind_a_path_is_asked_for_first(proxy: NoVncProxy, guest: Guest) -> None:
    guest.path = "/s1"
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as end:
        upgrade(end, "/?token=path")
        assert frame(end) == (2, b"RFB 003.008\n")
    guest.path = "/other"
    assert ask(proxy.port, "/?token=path", UPGRADE)[0] == 502


def test_sessions_end_with_their_token_when_told_so(options: NoVncOptions, guest: Guest) -> None:
    strict = replace(options, session=SessionOptions(enforce_session_timeout=True))
    proxy = NoVncProxy(strict, Tokens(guest).redeem, clock=CLOCK)
    proxy.start()
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as end:
            upgrade(end, "/?token=short")
            frame(end)
            assert frame(end) == (8, b"\x03\xf0The token has expired")
    finally:
        proxy.stop()


def test_stop_closes_open_sessions(options: NoVncOptions, guest: Guest) -> None:
    proxy = NoVncProxy(options, Tokens(guest).redeem, clock=CLOCK)
    proxy.start()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as end:
        upgrade(end, "/?token=good")
        frame(end)
        proxy.stop()
        assert frame(end)[0] == 8


def test_pages_redirects_and_nothing_else(proxy: NoVncProxy) -> None:
    assert ask(proxy.port, "/vnc_lite.html")[::2] == (200, "<title>noVNC</title>")
    assert ask(proxy.port, "/vnc_auto.html?path=%3Ftoken%3Dx")[:2] == (302, "/vnc_lite.html?path=%3Ftoken%3Dx")
    assert ask(proxy.port, "/app/")[0] == 404
    assert ask(proxy.port, "/../../../../etc/passwd")[0] == 404
    assert ask(proxy.port, "/%2e%2e/%2e%2e/etc/passwd")[0] == 404


def test_a_page_with_a_token_nobody_knows_says_so_and_the_log_keeps_the_token(
    proxy: NoVncProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for path, status, words in (
        ("/vnc_lite.html?path=%3Ftoken%3Dunknown", 403, "unknown or has expired"),
        ("/vnc_lite.html?token=%3Cscript%3E", 403, "malformed"),
        ("/vnc_lite.html?token=serial", 403, "unknown or has expired"),
        ("/vnc_lite.html?token=down", 503, "cannot be checked now"),
        ("/vnc_lite.html?path=%3Ftoken%3Dgood", 200, "noVNC"),
    ):
        found, _, page = ask(proxy.port, path)
        assert (found, words in page) == (status, True)
        assert "script" not in page
    ask(proxy.port, "/?token=unknown", UPGRADE)
    assert "novnc page refused to 127.0.0.1: The console token is unknown" in caplog.text
    assert "console refused to 127.0.0.1" in caplog.text
    assert "=unknown" not in caplog.text


@pytest.mark.parametrize(
    ("make", "token", "page", "words"),
    [
        (SerialProxy, "serial", "/?token=serial", "Serial console"),
        (SerialProxy, "serial", "/serial.js", "WebSocket"),
        (SpiceProxy, "spice", "/spice_auto.html?token=spice", "SPICE"),
    ],
)
def test_other_kinds_serve_their_pages_and_their_tokens_only(
    options: NoVncOptions, guest: Guest, make: Any, token: str, page: str, words: str
) -> None:
    (Path(options.listener.web) / "spice_auto.html").write_text("SPICE")
    local = {
        "serialproxy_host": "127.0.0.1",
        "serialproxy_port": 0,
        "html5proxy_host": "127.0.0.1",
        "html5proxy_port": 0,
    }
    configuration = from_mapping(
        {"serial_console": local, "spice": local, "DEFAULT": {"web": options.listener.web, "cert": "none"}}
    )
    sections = SerialProxyOptions if make is SerialProxy else SpiceProxyOptions
    proxy = make(sections.of(configuration), Tokens(guest).redeem, clock=CLOCK)
    proxy.start()
    try:
        status, _, text = ask(proxy.port, page)
        assert (status, words in text) == (200, True)
        assert ask(proxy.port, "/?token=good", UPGRADE)[0] == 403
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as end:
            upgrade(end, f"/websockify?token={token}")
            assert frame(end) == (2, b"RFB 003.008\n")
    finally:
        proxy.stop()


def test_browsers_ask_again_for_a_page_that_they_keep(proxy: NoVncProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    try:
        connection.request("GET", "/vnc_lite.html?token=good")
        reply = connection.getresponse()
        assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-cache")
    finally:
        connection.close()


def test_a_taken_port_is_named(options: NoVncOptions, proxy: NoVncProxy) -> None:
    second = replace(options, vnc=replace(options.vnc, novncproxy_port=proxy.port))
    with pytest.raises(PortTaken, match=str(proxy.port)):
        NoVncProxy(second, lambda _: None).start()


def test_tls_and_plain_on_one_port_until_only_tls_is_allowed(options: NoVncOptions, guest: Guest, pages: Path) -> None:
    certificate = pages / "self.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=localhost"),
            *("-keyout", str(certificate), "-out", str(pages / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + (pages / "cert.pem").read_text())
    for only in (False, True):
        listener = replace(options.listener, ssl_only=only)
        proxy = NoVncProxy(replace(options, listener=listener), Tokens(guest).redeem, clock=CLOCK)
        proxy.start()
        try:
            context = ssl.create_default_context(cafile=str(pages / "cert.pem"))
            with (
                socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as end,
            ):
                upgrade(end, "/?token=good")
                assert frame(end) == (2, b"RFB 003.008\n")
            if only:
                with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                    ask(proxy.port, "/vnc_lite.html")
            else:
                assert ask(proxy.port, "/vnc_lite.html")[0] == 200
        finally:
            proxy.stop()
