"""A console proxy as a part that is started and stopped; what the three kinds have in common."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kilonova.console.listener import ConsoleListener, Opening, Terms
from kilonova.console.options import ConsoleOptions, ListenerOptions, ProxyOptions
from kilonova.console.target import Redeem
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import Unavailable
from kilonova.kit.http.serve import PortTaken
from kilonova.kit.options import BadConfiguration

LOG = logging.getLogger(__name__)
_VERSIONS = {
    "tlsv1_1": ssl.TLSVersion.TLSv1_1,
    "tlsv1_2": ssl.TLSVersion.TLSv1_2,
    "tlsv1_3": ssl.TLSVersion.TLSv1_3,
}


class NoPages(Unavailable):
    """The console's client is not installed."""

    template = "There are no {client} pages in {path}; install the package {package} or set [DEFAULT] web"


@dataclass(frozen=True, kw_only=True)
class Face:
    """How one kind of console looks from outside."""

    kind: str
    host: str
    port: int
    web: Path
    redirects: Mapping[str, str]
    """Old names of pages."""
    opening: Opening | None = None


class ConsoleProxy:
    """Serves until stopped; the port is known after ``start`` (0 in the options means any)."""

    def __init__(self, face: Face, options: ProxyOptions, redeem: Redeem, clock: Clock | None) -> None:
        self._face = face
        self._terms = Terms(
            kind=face.kind,
            redeem=redeem,
            web=face.web,
            redirects=face.redirects,
            opening=face.opening,
            allowed_origins=tuple(options.console.allowed_origins),
            tls=tls_context(options.listener, options.console),
            tls_only=options.listener.ssl_only,
            record=options.listener.record,
            enforce_expiry=options.session.enforce_session_timeout,
            clock=clock or SystemClock(),
        )
        self._listener: ConsoleListener | None = None
        self._thread: threading.Thread | None = None
        self.port = face.port

    def start(self) -> None:
        """Listen and serve in the background. Raises PortTaken."""
        host = self._face.host
        try:
            self._listener = ConsoleListener((host, self.port), self._terms)
        except OSError as error:
            raise PortTaken(host=host, port=self.port, reason=str(error)) from error
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, name=self._face.kind, daemon=True)
        self._thread.start()
        LOG.info("%s consoles on %s:%s", self._face.kind, host, self.port)

    def stop(self) -> None:
        """Close the port and end the open sessions."""
        if self._listener is None or self._thread is None:
            return
        with contextlib.suppress(OSError):  # it was stopped before
            self._listener.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which looks only now and then
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.end_sessions()
        self._thread.join(timeout=10)


def tls_context(listener: ListenerOptions, console: ConsoleOptions) -> ssl.SSLContext | None:
    """TLS as configured; None where there is no certificate. Raises BadConfiguration."""
    if not Path(listener.cert).exists():
        if listener.ssl_only:
            raise BadConfiguration(reason=f"[DEFAULT] ssl_only needs a certificate; cert = {listener.cert} is no file")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listener.cert, listener.key or None)
        if console.ssl_ciphers:
            context.set_ciphers(console.ssl_ciphers)
    except (OSError, ssl.SSLError) as error:
        raise BadConfiguration(reason=f"[DEFAULT] cert, key or [console] ssl_ciphers: {error}") from error
    if console.ssl_minimum_version in _VERSIONS:
        context.minimum_version = _VERSIONS[console.ssl_minimum_version]
    return context
