"""``nova-api``: the Compute API as a program, and its WSGI entry point.

For uWSGI, gunicorn, granian or mod_wsgi the application is ``kilonova.services.api:application()``; it reads the files
that ``$OS_NOVA_CONFIG_FILES`` names (separated by ``;``, inside ``$OS_NOVA_CONFIG_DIR`` unless absolute), or the usual.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kilonova.api.app import build
from kilonova.api.policies import policy
from kilonova.api.wiring import ApiOptions
from kilonova.kit.auth import authenticator
from kilonova.kit.clock import SystemClock
from kilonova.kit.errors import KilonovaError
from kilonova.kit.http.app import Application
from kilonova.kit.http.serve import ThreadedServer, serve_workers
from kilonova.kit.loops import Loop
from kilonova.kit.options import Configuration
from kilonova.services import known_options, program
from kilonova.services.bell import Bell
from kilonova.services.parts import CELLS_REREAD, api_parts, cell_bus, open_store
from kilonova.services.process import ProcessOptions, bus_of, neighbours

PROGRAM = "nova-api"
_ARGUMENTS = "KILONOVA_API_ARGUMENTS"
"""How worker processes learn the command line."""
_THREADS = 20


def assemble(configuration: Configuration) -> Application:
    """The application with databases, bus and clients of its own. Raises BadConfiguration, DatabaseUnavailable."""
    store = open_store(configuration)
    bus = cell_bus(configuration, store)
    Loop("cells", CELLS_REREAD, store.refresh).start()
    parts = api_parts(configuration, store, neighbours(configuration), bus, Bell(bus), SystemClock())
    auth = authenticator(configuration, configuration.section(ApiOptions).auth_strategy)
    return build(parts, auth, policy(configuration))


def arguments_of(environment: Mapping[str, str]) -> list[str]:
    """``--config-file`` arguments of a WSGI server's environment; none where the usual places are meant."""
    given = environment.get(_ARGUMENTS)
    if given is not None:
        return [str(word) for word in json.loads(given)]
    folder = environment.get("OS_NOVA_CONFIG_DIR", "/etc/nova")
    if "OS_NOVA_CONFIG_DIR" not in environment and "OS_NOVA_CONFIG_FILES" not in environment:
        return []
    names = environment.get("OS_NOVA_CONFIG_FILES", "nova.conf").split(";")
    return [word for name in names if name.strip() for word in ("--config-file", str(Path(folder, name.strip())))]


def application() -> Application:
    """The WSGI application, made once per worker process."""
    configuration = program.configured(PROGRAM, arguments_of(os.environ))
    if _ARGUMENTS not in os.environ:  # else the process that started the workers has said it
        known_options.warn(configuration)
    return assemble(configuration)


class _Process:
    """One process with threads."""

    def __init__(self, configuration: Configuration) -> None:
        options = configuration.section(ProcessOptions)
        self._server = ThreadedServer(
            assemble(configuration),
            options.osapi_compute_listen,
            options.osapi_compute_listen_port,
            name=PROGRAM,
            threads=_THREADS,
        )

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT: threads of this process, or ``osapi_compute_workers`` worker processes."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        configuration = program.configured(PROGRAM, words)
        options = configuration.section(ProcessOptions)
        workers = options.osapi_compute_workers or os.cpu_count() or 1
        if workers == 1:
            return program.run(PROGRAM, words, _Process)
        known_options.warn(configuration)
        open_store(configuration).dispose()  # a mistake is told once, here, and not by every worker for ever
        bus_of(configuration, options).close()
    except KilonovaError as error:
        return program.refuse(PROGRAM, error)
    os.environ[_ARGUMENTS] = json.dumps(words)
    serve_workers(
        "kilonova.services.api:application",
        options.osapi_compute_listen,
        options.osapi_compute_listen_port,
        workers=workers,
        threads=_THREADS,
        name=PROGRAM,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
