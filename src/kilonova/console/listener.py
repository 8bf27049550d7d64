"""A console proxy's HTTP side: pages, the check of token and origin, then the relay. One thread a connection."""

import logging
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from kilonova.console import gate
from kilonova.console.recording import Recording
from kilonova.console.relay import Relay
from kilonova.console.target import ConsoleTarget, Redeem, Refused
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import KilonovaError

LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 10
_REQUEST_SECONDS = 30
_TLS_HANDSHAKE = b"\x16"
_ANSWER_LIMIT = 4096
_TOKEN = re.compile(r"[\w-]{1,128}", re.ASCII)
_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Console</title>
<h1>This console cannot be opened</h1>
<p>{reason}.</p>
<p>An address of a console is good for some minutes; ask the Compute service for a new one.</p>
</html>
"""


class Opening(Protocol):
    """What a protocol has to settle with both sides before bytes are only carried."""

    def to_guest(self, guest: socket.socket, host: str) -> socket.socket:
        """The socket to relay; it may be a new one around the given. Raises Refused, OSError."""

    def to_browser(self, browser: Any) -> bool:
        """False when the browser cannot go on. Raises OSError."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a listener needs to know of its kind of console."""

    kind: str
    redeem: Redeem
    web: Path | None = None
    """Directory of pages; None serves none."""
    redirects: Mapping[str, str] = field(default_factory=dict)
    """Old names of pages."""
    opening: Opening | None = None
    allowed_origins: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    tls_only: bool = False
    enforce_expiry: bool = False
    record: str | None = None
    """Sessions are recorded in files whose names begin so."""
    clock: Clock = field(default_factory=SystemClock)


class ConsoleListener(ThreadingHTTPServer):
    """Listens, and keeps the open sessions so that they can be ended."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], terms: Terms) -> None:
        self.terms = terms
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._relays: set[Relay] = set()
        self._guard = threading.Lock()
        super().__init__(address, ConsoleHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: TLS where the browser begins it, then HTTP."""
        request.settimeout(_REQUEST_SECONDS)
        try:
            encrypted = request.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
            if encrypted and self.terms.tls is not None:
                request = self.terms.tls.wrap_socket(request, server_side=True)
            elif encrypted or self.terms.tls_only:
                LOG.info("%s refused: TLS is %s", client_address[0], "not set up" if encrypted else "required")
                return
            super().finish_request(request, client_address)
        except OSError as error:  # a browser that left, a failed TLS handshake
            LOG.debug("%s: %s", client_address[0], error)
        finally:
            with suppress(OSError):
                request.close()

    def run(self, relay: Relay) -> str:
        """Run a session, counted among the open ones."""
        with self._guard:
            self._relays.add(relay)
        try:
            return relay.run()
        finally:
            with self._guard:
                self._relays.discard(relay)

    def end_sessions(self) -> None:
        with self._guard:
            relays = list(self._relays)
        for relay in relays:
            relay.stop()


class ConsoleHandler(SimpleHTTPRequestHandler):
    """One connection of a browser."""

    server: ConsoleListener
    protocol_version = "HTTP/1.1"
    server_version = "console"
    sys_version = ""

    def __init__(self, request: Any, address: Any, server: ConsoleListener) -> None:
        super().__init__(request, address, server, directory=str(server.terms.web or "/nonexistent"))

    def do_GET(self) -> None:
        """A session, a page, or a redirection to the page's name of today."""
        if "websocket" in self.headers.get("Upgrade", "").lower():
            self._open_session()
            return
        self._serve_page(super().do_GET)

    def do_HEAD(self) -> None:
        self._serve_page(super().do_HEAD)

    def _serve_page(self, serve: Any) -> None:
        parts = urlsplit(self.path)
        if self.server.terms.web is None:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "This address serves WebSockets only")
        elif parts.path in self.server.terms.redirects:
            self._redirect(self.server.terms.redirects[parts.path], parts.query)
        elif self._page_is_welcome(parts.path):
            serve()

    def _page_is_welcome(self, path: str) -> bool:
        """A page that is asked for with a token nobody knows would only show that it cannot connect: say why."""
        token = gate.token(self.path, None) if path.endswith((".html", "/")) else None
        if token is None:
            return True
        try:
            self._redeemed(token)
        except Refused as refusal:
            LOG.info("%s page refused to %s: %s", self.server.terms.kind, self.client_address[0], refusal)
            page = _PAGE.format(reason=escape(str(refusal))).encode()
            self.send_response(refusal.status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page if self.command == "GET" else b"")
            return False
        return True

    def end_headers(self) -> None:
        """A page's address holds a token: it is nobody else's business, and may be good no more the next time."""
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def _redirect(self, page: str, query: str) -> None:
        joint = "&" if "?" in page else "?"
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", f"{page}{joint}{query}" if query else page)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def list_directory(self, path: Any) -> None:  # noqa: ARG002  # http.server's signature
        """Directories are not shown."""
        self.send_error(HTTPStatus.NOT_FOUND, "No such page")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's signature
        """Paths hold tokens, so they are not logged; sessions are, in words of their own."""

    def _open_session(self) -> None:
        self.close_connection = True
        try:
            target = self._admitted()
            guest = _connect(target, self.server.terms.opening)
        except Refused as refusal:
            LOG.info("console refused to %s: %s", self.client_address[0], refusal)
            # Said in the status line alone: a client that has asked for a WebSocket may take a body for frames.
            self.send_response(refusal.status, str(refusal))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with guest:
            browser = self._accept()
            if browser is None:
                return
            LOG.info("%s console of %s opened by %s", target.kind, target.server, self.client_address[0])
            reason = self._session(browser, guest, target)
            LOG.info("%s console of %s closed: %s", target.kind, target.server, reason)

    def _session(self, browser: Any, guest: socket.socket, target: ConsoleTarget) -> str:
        """Returns why it ended."""
        opening = self.server.terms.opening
        try:
            if opening is not None and not opening.to_browser(browser):
                return "the browser's VNC client is too old"
        except OSError as error:
            return f"the browser left: {error}"
        self.connection.settimeout(0)
        until = self._until(target)
        if self.server.terms.record is None:
            return self.server.run(Relay(browser, guest, until=until))
        try:
            recording = Recording.named(self.server.terms.record, f"{target.server}.{uuid.uuid4().hex[:8]}")
        except OSError as error:  # an operator who wants records wants no session without
            return f"it cannot be recorded: {error}"
        with closing(recording):
            return self.server.run(Relay(browser, guest, until=until, recording=recording))

    def _admitted(self) -> ConsoleTarget:
        terms = self.server.terms
        if not gate.origin_allowed(self.headers.get("Origin"), self.headers.get("Host"), terms.allowed_origins):
            raise Refused(HTTPStatus.FORBIDDEN, "Consoles cannot be opened from pages of this origin")
        token = gate.token(self.path, self.headers.get("Cookie"))
        if token is None:
            raise Refused(HTTPStatus.FORBIDDEN, "The console token is missing")
        return self._redeemed(token)

    def _redeemed(self, token: str) -> ConsoleTarget:
        terms = self.server.terms
        if _TOKEN.fullmatch(token) is None:
            raise Refused(HTTPStatus.FORBIDDEN, "The console token is malformed")
        try:
            target = terms.redeem(token)
        except KilonovaError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Console tokens cannot be checked now") from error
        if target is None or target.kind != terms.kind or target.expires <= terms.clock.now():
            raise Refused(HTTPStatus.FORBIDDEN, "The console token is unknown or has expired")
        return target

    def _accept(self) -> Any:
        """The WebSocket, or None where the browser's request is no proper one (it has been told)."""
        # Loaded at the first session: websockify brings numpy, 30 MB that an idle proxy does not need.
        from websockify.websocket import WebSocket  # noqa: PLC0415  # the reason is above

        socket_class = type("BinaryWebSocket", (WebSocket,), {"select_subprotocol": _binary})
        browser = socket_class()
        self.wfile.flush()
        try:
            browser.accept(self.connection, self.headers)
        except OSError:
            return None
        except Exception as error:  # noqa: BLE001  # websockify raises plain Exceptions for bad requests
            self.send_error(HTTPStatus.BAD_REQUEST, str(error))
            return None
        if self.connection.family != socket.AF_UNIX:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return browser

    def _until(self, target: ConsoleTarget) -> float | None:
        terms = self.server.terms
        if not terms.enforce_expiry:
            return None
        return time.monotonic() + (target.expires - terms.clock.now()) / timedelta(seconds=1)


def _binary(_: Any, protocols: list[str]) -> str:
    """The one subprotocol there is; old clients ask for it by name."""
    return next((name for name in protocols if name.strip() == "binary"), "")


def _connect(target: ConsoleTarget, opening: Opening | None) -> socket.socket:
    try:
        guest = socket.create_connection((target.host, target.port), timeout=_CONNECT_SECONDS)
    except OSError as error:
        raise _silent(target, error) from error
    try:
        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.internal_access_path:
            _ask(guest, target.internal_access_path)
        return guest if opening is None else opening.to_guest(guest, target.host)
    except Refused:
        guest.close()
        raise
    except OSError as error:
        guest.close()
        raise _silent(target, error) from error


def _silent(target: ConsoleTarget, error: OSError) -> Refused:
    LOG.warning("console of %s at %s:%s: %s", target.server, target.host, target.port, error)
    return Refused(HTTPStatus.BAD_GATEWAY, "The server's console does not answer")


def _ask(guest: socket.socket, path: str) -> None:
    """HTTP CONNECT to a console server that serves many guests on one port."""
    guest.sendall(f"CONNECT {path} HTTP/1.1\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _ANSWER_LIMIT:
        # One byte at a time: what follows the empty line belongs to the session.
        byte = guest.recv(1)
        if not byte:
            break
        answer += byte
    words = answer.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or words[1] != b"200":  # noqa: PLR2004  # the HTTP status of success
        raise Refused(HTTPStatus.BAD_GATEWAY, "The console server does not know this console")
