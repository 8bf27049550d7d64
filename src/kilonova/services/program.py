"""What every long-running program does: read the configuration, log, start its part, stop cleanly on a signal."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from kilonova.kit import diagnosis, logs, monitoring, signals
from kilonova.kit.errors import KilonovaError
from kilonova.kit.monitoring import Check
from kilonova.kit.options import BadConfiguration, Configuration, load, opt
from kilonova.kit.reload import by_signal, reload
from kilonova.kit.service_manager import ServiceManager
from kilonova.services import known_options

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StopOptions:
    """``[DEFAULT]``: how long stopping may take."""

    GROUP: ClassVar[str] = "DEFAULT"
    graceful_shutdown_timeout: int = opt(180, "seconds to wait on shutdown for running work; 0 waits for ever", min=0)


class Part(Protocol):
    """What a program runs."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What must answer before it can do its work."""

    def start(self) -> None:
        """Begin; work goes on in threads."""

    def stop(self) -> None:
        """Finish running work."""


@runtime_checkable
class Watched(Protocol):
    """A part that can tell whether it works; one that cannot works as long as it runs."""

    def alive(self) -> bool:
        """Ask; may take seconds."""


def configured(program: str, argv: Sequence[str] | None) -> Configuration:
    """The configuration of ``--config-file``/``--config-dir`` or the usual places, and logs as it says.

    ``--debug``, ``--log-file`` and ``--log-dir`` win over the files. Raises BadConfiguration.
    """
    parser = argparse.ArgumentParser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--debug", "-d", action="store_true", default=None)
    parser.add_argument("--log-file", "--logfile")
    parser.add_argument("--log-dir", "--logdir")
    own, rest = parser.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    configuration = load(program, rest)
    diagnosis.by_signal()
    logs.set_up(configuration, program, {k: v for k, v in vars(own).items() if v is not None})
    return configuration


def run(program: str, argv: Sequence[str] | None, make: Callable[[Configuration], Part]) -> int:
    """``keep`` what ``make`` makes. Exit code: 0 after a clean stop, else that of ``refuse``."""
    signals.hold(signal.SIGHUP)
    try:
        configuration = configured(program, argv)
        known_options.warn_aside(configuration)
        monitoring.keep_numbers(configuration)
        keep(program, make(configuration), configuration)
    except KilonovaError as error:
        return refuse(program, error)
    return 0


def keep(program: str, part: Part, configuration: Configuration) -> None:
    """Run the part until SIGTERM or SIGINT. SIGHUP reloads; a service manager is told how things stand."""
    manager = ServiceManager(part.alive if isinstance(part, Watched) else lambda: True)
    stop = _signals(manager)
    part.start()
    with monitoring.monitored(configuration, program, part.checks):
        LOG.info("%s is up", program)
        manager.start()
        stop.wait()
    LOG.info("%s is stopping", program)
    manager.stopping()
    _watch(configuration.section(StopOptions).graceful_shutdown_timeout)
    part.stop()
    LOG.info("%s has stopped", program)


def refuse(program: str, error: KilonovaError) -> int:
    """Say in one line why the program cannot run. Exit code: ``EX_CONFIG`` when it will not until a file is changed."""
    sys.stderr.write(f"{program}: {logs.blotted(str(error))}\n")
    return os.EX_CONFIG if isinstance(error, BadConfiguration) else 1


def _signals(manager: ServiceManager) -> threading.Event:
    """Set by the first signal to stop; a second one ends the process at once. SIGHUP reloads."""
    by_signal(lambda: manager.reload(reload))
    enough = threading.Event()

    def stop(number: int) -> None:
        if enough.is_set():
            os._exit(128 + number)
        enough.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signals.answer(number, stop)
    return enough


def _watch(seconds: int) -> None:
    """End the process when stopping takes too long."""
    if not seconds:
        return

    def give_up() -> None:
        LOG.warning("Running work did not finish within graceful_shutdown_timeout (%s s)", seconds)
        diagnosis.tell()
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
