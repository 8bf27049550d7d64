"""``placement-api``: the placement service as a process.

Without ``--config-file`` it reads ``placement.conf`` from ``$OS_PLACEMENT_CONFIG_DIR`` or, without that, from the usual
places. For other WSGI servers there is ``placement_wsgi``.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from kilonova.kit import diagnosis, logs, monitoring, signals
from kilonova.kit.db.engine import Database
from kilonova.kit.errors import KilonovaError
from kilonova.kit.http.app import Application
from kilonova.kit.http.serve import end_with_parent, serve_workers
from kilonova.kit.monitoring import Check
from kilonova.kit.options import Configuration, load, warn_unknown
from kilonova.kit.usual_files import readable
from kilonova.placement.api.app import DEFAULT_PORT, build
from kilonova.placement.api.options import KNOWN, PlacementDatabaseOptions
from kilonova.services import program
from kilonova.services.doors import Door, Threads

PROGRAM = "placement-api"

_USUAL = (Path("/etc/nova/nova.conf"), Path("/etc/placement/placement.conf"))
"""Later files win; the first is for the nova services alone where the packaging made its directory."""
_TARGET = "kilonova.services.placement_api:application"
_ARGUMENTS = "KILONOVA_PLACEMENT_ARGUMENTS"
"""How worker processes learn the command line."""


def configuration_files() -> list[str]:
    """What is read without ``--config-file``."""
    named = os.environ.get("OS_PLACEMENT_CONFIG_DIR")
    candidates = (Path(named) / "placement.conf",) if named else _USUAL
    return [str(path) for path in candidates if readable(path)]


def read_configuration(program: str, argv: Sequence[str]) -> Configuration:
    """Files of ``--config-file`` and ``--config-dir``, or the usual ones. Raises BadConfiguration."""
    return load(program, argv, files=configuration_files(), project="placement")


def open_database(configuration: Configuration) -> Database:
    """The database of ``[placement_database]``. Raises DatabaseUnavailable without a connection."""
    return Database(configuration.section(PlacementDatabaseOptions))


def application(argv: Sequence[str] | None = None) -> Application:
    """The WSGI application; a worker process learns the options of its command line from the environment.

    Options in the files that have no effect are logged here, or by the process that starts the workers.
    """
    options = json.loads(os.environ.get(_ARGUMENTS, "[]")) if argv is None else argv
    configuration = _configured(options)
    if argv is not None:
        warn_unknown(configuration, KNOWN)
    if _ARGUMENTS in os.environ:
        end_with_parent()
    monitoring.in_worker(configuration)
    return assemble(configuration)


def _needs(configuration: Configuration) -> dict[str, Check]:
    return {"database": open_database(configuration).check}


def assemble(configuration: Configuration) -> Application:
    """The application with a database of its own. Raises DatabaseUnavailable."""
    return build(open_database(configuration), configuration)


def _configured(argv: Sequence[str]) -> Configuration:
    configuration = read_configuration(PROGRAM, argv)
    diagnosis.by_signal()
    logs.set_up(configuration, PROGRAM)
    return configuration


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The placement service.", allow_abbrev=False)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", "-p", type=int, default=DEFAULT_PORT, help="port to listen on")
    parser.add_argument("--workers", type=int, default=1, help="processes; one serves with threads alone")
    parser.add_argument("--threads", type=int, default=8, help="threads of each process")
    own, rest = parser.parse_known_args(argv)
    signals.hold(signal.SIGHUP)
    try:
        configuration = _configured(rest)
        warn_unknown(configuration, KNOWN)
        monitoring.keep_numbers(configuration)
        if own.workers > 1:
            os.environ[_ARGUMENTS] = json.dumps(rest)
            with monitoring.monitored(configuration, PROGRAM, _needs(configuration), workers=True):
                serve_workers(_TARGET, own.host, own.port, workers=own.workers, threads=own.threads, name=PROGRAM)
        else:
            door = Door(PROGRAM, assemble, _TARGET, own.host, own.port, own.workers, open_database, _needs)
            part = Threads(configuration, [door], threads=own.threads)
            program.keep(PROGRAM, part, configuration)
    except KilonovaError as error:
        return program.refuse(PROGRAM, error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
