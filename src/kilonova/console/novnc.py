"""The noVNC proxy: the client's pages, and VNC over WebSockets."""

import logging
import ssl
import threading
from pathlib import Path

from kilonova.console.listener import ConsoleListener, Terms
from kilonova.console.options import ConsoleOptions, ListenerOptions, NoVncOptions
from kilonova.console.target import Redeem
from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.errors import Unavailable
from kilonova.kit.http.serve import PortTaken
from kilonova.kit.options import BadConfiguration

LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
"""How soon ``stop`` is noticed."""
_VERSIONS = {
    "tlsv1_1": ssl.TLSVersion.TLSv1_1,
    "tlsv1_2": ssl.TLSVersion.TLSv1_2,
    "tlsv1_3": ssl.TLSVersion.TLSv1_3,
}


class NoPages(Unavailable):
    """noVNC is not installed."""

    template = "There are no noVNC pages in {path}; install the package novnc or set [DEFAULT] web"


class NoVncProxy:
    """Serves until stopped; the port is known after ``start`` (0 in the options means any)."""

    def __init__(self, options: NoVncOptions, redeem: Redeem, *, clock: Clock | None = None) -> None:
        if "none" not in options.vnc.auth_schemes:
            raise BadConfiguration(reason="[vnc] auth_schemes must include none; others are not supported")
        self._options = options
        self._redeem = redeem
        self._clock = clock or SystemClock()
        self._listener: ConsoleListener | None = None
        self._thread: threading.Thread | None = None
        self.port = options.vnc.novncproxy_port

    def start(self) -> None:
        """Listen and serve in the background. Raises NoPages, PortTaken, BadConfiguration."""
        options = self._options
        host = options.vnc.novncproxy_host
        terms = Terms(
            kind="novnc",
            redeem=self._redeem,
            web=options.web,
            redirects=redirects(options.web),
            allowed_origins=tuple(options.console.allowed_origins),
            tls=tls_context(options.listener, options.console),
            tls_only=options.listener.ssl_only,
            enforce_expiry=options.session.enforce_session_timeout,
            clock=self._clock,
        )
        try:
            self._listener = ConsoleListener((host, self.port), terms)
        except OSError as error:
            raise PortTaken(host=host, port=self.port, reason=str(error)) from error
        self.port = self._listener.server_address[1]
        serve = self._listener.serve_forever
        self._thread = threading.Thread(target=serve, args=(_POLL_SECONDS,), name="novncproxy", daemon=True)
        self._thread.start()
        LOG.info("novncproxy listens on %s:%s", host, self.port)

    def stop(self) -> None:
        """Close the port and end the open sessions."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.end_sessions()
        self._thread.join(timeout=10)


def redirects(web: Path) -> dict[str, str]:
    """Old page names, led to a page that connects by itself. Raises NoPages.

    ``vnc_auto.html`` is the default of ``novncproxy_base_url`` and left noVNC with release 1.0; Debian keeps the
    name for ``vnc.html``, which asks before connecting.
    """
    if (web / "vnc_lite.html").exists():
        return {"/vnc_auto.html": "/vnc_lite.html", "/": "/vnc_lite.html"}
    if (web / "vnc.html").exists():
        return {"/vnc_auto.html": "/vnc.html?autoconnect=1", "/vnc_lite.html": "/vnc.html?autoconnect=1"}
    raise NoPages(path=web)


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
