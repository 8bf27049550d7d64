"""``nova-api-metadata``: the metadata service as a process of its own."""

import sys
from collections.abc import Sequence

from kilonova.kit.http.app import Application
from kilonova.kit.loops import Loop
from kilonova.kit.options import Configuration
from kilonova.metadata.app import build
from kilonova.metadata.options import MetadataOptions
from kilonova.services import doors
from kilonova.services.parts import CELLS_REREAD, checks_apart, open_store
from kilonova.services.process import ProcessOptions

PROGRAM = "nova-api-metadata"


def assemble(configuration: Configuration) -> Application:
    """The application with databases of its own. Raises BadConfiguration, DatabaseUnavailable."""
    store = open_store(configuration)
    Loop("cells", CELLS_REREAD, store.refresh).start()
    return build(store, MetadataOptions.of(configuration))


def application() -> Application:
    """The WSGI application, made once per worker process."""
    return assemble(doors.configuration_of(PROGRAM))


def door(configuration: Configuration) -> doors.Door:
    """As ``metadata_listen``, ``metadata_listen_port`` and ``metadata_workers`` say."""
    options = configuration.section(ProcessOptions)
    return doors.Door(
        name=PROGRAM,
        assemble=assemble,
        factory="kilonova.services.metadata_api:application",
        host=options.metadata_listen,
        port=options.metadata_listen_port,
        workers=options.metadata_workers,
        check=lambda again: open_store(again).dispose(),
        needs=lambda again: checks_apart(again, broker=False),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT: threads of this process, or ``metadata_workers`` worker processes."""
    return doors.serve(PROGRAM, argv, lambda configuration: [door(configuration)])


if __name__ == "__main__":
    sys.exit(main())
