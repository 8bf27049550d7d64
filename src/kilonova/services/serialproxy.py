"""``nova-serialproxy``: guests' serial ports in browsers."""

import sys
from collections.abc import Sequence

from kilonova.console.options import SerialProxyOptions
from kilonova.console.serial import SerialProxy
from kilonova.kit.options import Configuration
from kilonova.services import program
from kilonova.services.console_process import ConsoleProcess


def _process(configuration: Configuration) -> ConsoleProcess:
    return ConsoleProcess(configuration, lambda redeem: SerialProxy(SerialProxyOptions.of(configuration), redeem))


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run("nova-serialproxy", argv, _process)


if __name__ == "__main__":
    sys.exit(main())
