"""``nova-novncproxy``: guests' VNC screens in browsers."""

import sys
from collections.abc import Sequence

from kilonova.console.novnc import NoVncProxy
from kilonova.console.options import NoVncOptions
from kilonova.kit.options import Configuration
from kilonova.services import program
from kilonova.services.console_process import ConsoleProcess


def _process(configuration: Configuration) -> ConsoleProcess:
    return ConsoleProcess(configuration, lambda redeem: NoVncProxy(NoVncOptions.of(configuration), redeem))


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run("nova-novncproxy", argv, _process)


if __name__ == "__main__":
    sys.exit(main())
