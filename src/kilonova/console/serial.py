"""The serial proxy: a page with a terminal, and guests' serial ports over WebSockets."""

from pathlib import Path

from kilonova.console.options import SerialProxyOptions
from kilonova.console.proxy import ConsoleProxy, Face
from kilonova.console.target import Redeem
from kilonova.kit.clock import Clock

_PAGES = Path(__file__).with_name("pages")


class SerialProxy(ConsoleProxy):
    """URLs of ``base_url`` are WebSockets', ``ws://``; with ``http://`` they are pages. Raises BadConfiguration."""

    def __init__(self, options: SerialProxyOptions, redeem: Redeem, *, clock: Clock | None = None) -> None:
        face = Face(
            kind="serial",
            host=options.serial.serialproxy_host,
            port=options.serial.serialproxy_port,
            web=_PAGES,
            redirects={},
        )
        super().__init__(face, options, redeem, clock)
