"""``nova-novncproxy``: browsers' consoles. Tokens are redeemed over the bus; the proxy opens no database."""

import sys
from collections.abc import Sequence

from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import NoVncOptions
from kilonova.kit.options import Configuration
from kilonova.services import program
from kilonova.services.process import ProcessOptions, bus_of
from kilonova.services.redeem import redeemer


class _Process:
    def __init__(self, configuration: Configuration) -> None:
        self._bus = bus_of(configuration, configuration.section(ProcessOptions))
        self._proxy = NoVncProxy(NoVncOptions.of(configuration), redeemer(self._bus))

    def start(self) -> None:
        self._proxy.start()

    def stop(self) -> None:
        self._proxy.stop()
        self._bus.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run("nova-novncproxy", argv, _Process)


if __name__ == "__main__":
    sys.exit(main())
