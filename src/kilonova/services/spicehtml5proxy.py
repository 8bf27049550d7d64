"""``nova-spicehtml5proxy``: guests' SPICE screens in browsers."""

import sys
from collections.abc import Sequence

from kilonova.console.options import SpiceProxyOptions
from kilonova.console.spice import SpiceProxy
from kilonova.kit.options import Configuration
from kilonova.services import program
from kilonova.services.console_process import ConsoleProcess


def _process(configuration: Configuration) -> ConsoleProcess:
    return ConsoleProcess(configuration, lambda redeem: SpiceProxy(SpiceProxyOptions.of(configuration), redeem))


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run("nova-spicehtml5proxy", argv, _process)


if __name__ == "__main__":
    sys.exit(main())
