"""The noVNC proxy: the client's pages, and VNC over WebSockets."""

from pathlib import Path

from kilonova.console.options import NoVncOptions
from kilonova.console.proxy import ConsoleProxy, Face, NoPages
from kilonova.console.rfb import VncSecurity
from kilonova.console.target import Redeem
from kilonova.kit.clock import Clock


class NoVncProxy(ConsoleProxy):
    """Raises NoPages, BadConfiguration."""

    def __init__(self, options: NoVncOptions, redeem: Redeem, *, clock: Clock | None = None) -> None:
        web = options.listener.pages("vnc_lite.html", "/usr/share/novnc")
        face = Face(
            kind="novnc",
            host=options.vnc.novncproxy_host,
            port=options.vnc.novncproxy_port,
            web=web,
            redirects=redirects(web),
            # A relay that leaves the security to browser and guest takes browsers of any version of RFB.
            opening=None if options.vnc.auth_schemes == ["none"] else VncSecurity(options.vnc),
        )
        super().__init__(face, options, redeem, clock)


def redirects(web: Path) -> dict[str, str]:
    """Old page names, led to a page that connects by itself. Raises NoPages.

    ``vnc_auto.html`` is the default of ``novncproxy_base_url`` and left noVNC with release 1.0; Debian keeps the
    name for ``vnc.html``, which asks before connecting.
    """
    if (web / "vnc_lite.html").exists():
        return {"/vnc_auto.html": "/vnc_lite.html", "/": "/vnc_lite.html"}
    if (web / "vnc.html").exists():
        return {"/vnc_auto.html": "/vnc.html?autoconnect=1", "/vnc_lite.html": "/vnc.html?autoconnect=1"}
    raise NoPages(client="noVNC", path=web, package="novnc")
