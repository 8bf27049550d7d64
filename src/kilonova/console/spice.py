"""The SPICE proxy: the HTML5 client's pages, and SPICE over WebSockets, one for each of its channels."""

from kilonova.console.options import SpiceProxyOptions
from kilonova.console.proxy import ConsoleProxy, Face, NoPages
from kilonova.console.target import Redeem
from kilonova.kit.clock import Clock

_PAGE = "spice_auto.html"


class SpiceProxy(ConsoleProxy):
    """Raises NoPages, BadConfiguration."""

    def __init__(self, options: SpiceProxyOptions, redeem: Redeem, *, clock: Clock | None = None) -> None:
        web = options.listener.pages(_PAGE, "/usr/share/spice-html5")
        if not (web / _PAGE).exists():
            raise NoPages(client="SPICE", path=web, package="spice-html5")
        face = Face(
            kind="spice-html5",
            host=options.spice.html5proxy_host,
            port=options.spice.html5proxy_port,
            web=web,
            redirects={"/": f"/{_PAGE}"},
        )
        super().__init__(face, options, redeem, clock)
