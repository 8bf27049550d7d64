"""Programs that serve HTTP: by threads of the program, or by worker processes of it."""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova.kit import monitoring, signals
from kilonova.kit.errors import KilonovaError
from kilonova.kit.http.app import Application
from kilonova.kit.http.serve import ThreadedServer, answers, end_with_parent, serve_workers
from kilonova.kit.monitoring import Check
from kilonova.kit.options import Configuration
from kilonova.kit.policy import Policy
from kilonova.kit.reload import on_reload
from kilonova.kit.undo import UndoStack
from kilonova.services import known_options, program

ARGUMENTS = "KILONOVA_API_ARGUMENTS"
"""How worker processes learn the command line."""
_THREADS = 20
_DRAIN = 60
"""Seconds that running requests have at most: no neighbour is waited for as long."""


@dataclass(frozen=True)
class Door:
    """One application and its address."""

    name: str
    assemble: Callable[[Configuration], Application]
    """Raises BadConfiguration, DatabaseUnavailable."""
    factory: str
    """``module:factory`` of the same, for worker processes."""
    host: str
    port: int
    workers: int | None
    """Processes; None: as many as the machine has processors."""
    check: Callable[[Configuration], object]
    """Raises what would keep every worker process from starting."""
    needs: Callable[[Configuration], Mapping[str, Check]]
    """What must answer before it can do its work."""


class Threads:
    """Doors served by threads of this process."""

    def __init__(self, configuration: Configuration, doors: Sequence[Door], threads: int = _THREADS) -> None:
        self._servers = []
        self.checks: dict[str, Check] = {}
        for door in doors:
            self.checks.update(door.needs(configuration))
            app = door.assemble(configuration)
            if isinstance(app.service.policy, Policy):
                on_reload(f"policy of {door.name}", app.service.policy.reload)
            self._servers.append(ThreadedServer(app, door.host, door.port, name=door.name, threads=threads))

    def start(self) -> None:
        """Listen. Raises PortTaken, and then no door is open: threads that serve would keep the process from ending."""
        with UndoStack() as undo:
            for server in self._servers:
                server.start()
                undo.push(server.stop)
            undo.commit()

    def stop(self) -> None:
        """Finish running requests."""
        for server in self._servers:
            server.stop()

    def alive(self) -> bool:
        """Every door answers."""
        return all(answers(server.host, server.port) for server in self._servers)


def serve(name: str, argv: Sequence[str] | None, doors_of: Callable[[Configuration], Sequence[Door]]) -> int:
    """Until SIGTERM or SIGINT. The first door may have worker processes; others are threads beside them."""
    words = sys.argv[1:] if argv is None else list(argv)
    signals.hold(signal.SIGHUP)
    try:
        configuration = program.configured(name, words)
        first, *others = doors_of(configuration)
        workers = first.workers or os.cpu_count() or 1
        if workers == 1:
            return program.run(name, words, lambda again: Threads(again, doors_of(again)))
        known_options.warn(configuration)
        first.check(configuration)  # a mistake is told once, here, and not by every worker for ever
        beside = Threads(configuration, others)
        beside.start()
    except KilonovaError as error:
        return program.refuse(name, error)
    os.environ[ARGUMENTS] = json.dumps(words)
    drain = min(configuration.section(program.StopOptions).graceful_shutdown_timeout or _DRAIN, _DRAIN)
    try:
        with monitoring.monitored(configuration, name, {**first.needs(configuration), **beside.checks}, workers=True):
            serve_workers(
                first.factory, first.host, first.port, workers=workers, threads=_THREADS, name=name, drain=drain
            )
    except KilonovaError as error:
        return program.refuse(name, error)
    finally:
        beside.stop()
    return 0


def configuration_of(name: str, environment: Mapping[str, str] = os.environ) -> Configuration:
    """For a WSGI server's process that has no command line of ours. Raises BadConfiguration."""
    configuration = program.configured(name, arguments_of(environment))
    if ARGUMENTS in environment:
        end_with_parent()
    else:  # else the process that started the workers has said it
        known_options.warn(configuration)
    monitoring.in_worker(configuration)
    return configuration


def arguments_of(environment: Mapping[str, str]) -> list[str]:
    """``--config-file`` arguments of a WSGI server's environment; none where the usual places are meant.

    ``$OS_NOVA_CONFIG_FILES`` names files (separated by ``;``), inside ``$OS_NOVA_CONFIG_DIR`` unless absolute.
    """
    given = environment.get(ARGUMENTS)
    if given is not None:
        return [str(word) for word in json.loads(given)]
    folder = environment.get("OS_NOVA_CONFIG_DIR", "/etc/nova")
    if "OS_NOVA_CONFIG_DIR" not in environment and "OS_NOVA_CONFIG_FILES" not in environment:
        return []
    names = environment.get("OS_NOVA_CONFIG_FILES", "nova.conf").split(";")
    return [word for name in names if name.strip() for word in ("--config-file", str(Path(folder, name.strip())))]
