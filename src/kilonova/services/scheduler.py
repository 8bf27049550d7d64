"""``nova-scheduler``: one more runner of operations.

The choice of a host is a library inside the operation that needs it, so there is nothing to ask another process for.
An operator who starts schedulers gets more of what does the choosing; docs/adr says why.
"""

import sys
from collections.abc import Sequence

from kilonova.services import program
from kilonova.services.conductor import Process

BINARY = "nova-scheduler"


def main(argv: Sequence[str] | None = None) -> int:
    """Until SIGTERM or SIGINT."""
    return program.run(BINARY, argv, lambda configuration: Process(configuration, BINARY))


if __name__ == "__main__":
    sys.exit(main())
