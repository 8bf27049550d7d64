"""``/metrics``, ``/healthz`` and ``/readyz`` of a process, on an address of their own: ``[monitoring] listen``."""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from kilonova.kit import codec, loops
from kilonova.kit.http.serve import ThreadedServer
from kilonova.kit.metrics import METRICS, SHARED
from kilonova.kit.options import BadConfiguration, Configuration, opt

LOG = logging.getLogger(__name__)
Check = Callable[[], object]
"""Raises what is wrong."""
PORTS: Mapping[str, int] = {
    "kilonova": 9870,
    "nova-api": 9871,
    "nova-api-metadata": 9872,
    "nova-conductor": 9873,
    "nova-scheduler": 9874,
    "nova-compute": 9875,
    "nova-novncproxy": 9876,
    "nova-spicehtml5proxy": 9877,
    "nova-serialproxy": 9878,
    "placement-api": 9879,
}
_CHECK_SECONDS = 5.0
_FRESH_SECONDS = 1.0
_OK, _AWAY, _NOT_FOUND = "200 OK", "503 Service Unavailable", "404 Not Found"
_JSON = "application/json"


@dataclass(frozen=True)
class MonitoringOptions:
    """``[monitoring]``: our own section."""

    GROUP: ClassVar[str] = "monitoring"
    listen: str = opt("", "address that numbers and health are told at; empty: nowhere")
    ports: dict[str, str] = opt({}, "program:port pairs, where the usual ports are taken")

    def port(self, program: str) -> int:
        """Where a program tells. Raises BadConfiguration."""
        given = self.ports.get(program)
        if given is None:
            return PORTS[program]
        if not given.isdigit() or int(given) >= 1 << 16:
            raise BadConfiguration(reason=f"[monitoring] ports: {program}:{given} has no port number")
        return int(given)


class Readiness:
    """Asks all checks at once; an answer serves everybody who asks within a second."""

    def __init__(self, checks: Mapping[str, Check], seconds: float = _CHECK_SECONDS) -> None:
        self._checks = checks
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(max_workers=max(len(checks), 1), thread_name_prefix="ready")
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._answer: dict[str, str] = {}

    def troubles(self) -> dict[str, str]:
        """Check → ``ok``, or what is wrong."""
        with self._lock:
            if time.monotonic() - self._asked > _FRESH_SECONDS:
                self._answer, self._asked = self._ask(), time.monotonic()
            return self._answer

    def _ask(self) -> dict[str, str]:
        asked = {name: self._pool.submit(check) for name, check in self._checks.items()}
        wait(asked.values(), timeout=self._seconds)
        found = {}
        for name, future in asked.items():
            if not future.done():
                found[name] = f"no answer within {self._seconds:g} s"
            else:
                error = future.exception()
                found[name] = "ok" if error is None else str(error) or type(error).__name__
        return found

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Monitor:
    """The WSGI application, and the server for it."""

    def __init__(self, program: str, options: MonitoringOptions, checks: Mapping[str, Check]) -> None:
        self._program = program
        self._readiness = Readiness(checks)
        self._server = ThreadedServer(
            self, options.listen, options.port(program), name=f"{program}'s monitoring", threads=2
        )

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        """Listen. Raises PortTaken."""
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self._readiness.close()

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = {"/metrics": self._metrics, "/healthz": self._health, "/readyz": self._ready}.get(environ["PATH_INFO"])
        status, kind, body = answer(environ) if answer else (_NOT_FOUND, "text/plain", b"/metrics /healthz /readyz\n")
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    @staticmethod
    def _metrics(environ: Mapping[str, Any]) -> tuple[str, str, bytes]:
        return (_OK, *METRICS.text(str(environ.get("HTTP_ACCEPT", ""))))

    def _health(self, _environ: Mapping[str, Any]) -> tuple[str, str, bytes]:
        """Whether it should be left alone: repeated work comes round. What others do is no reason to be restarted."""
        stuck = loops.stuck()
        body = {"program": self._program, "healthy": not stuck, "stuck": stuck}
        return _AWAY if stuck else _OK, _JSON, codec.dumps(body)

    def _ready(self, _environ: Mapping[str, Any]) -> tuple[str, str, bytes]:
        """Whether it can do its work now: whatever that needs answers."""
        found = self._readiness.troubles()
        ready = all(words == "ok" for words in found.values())
        body = {"program": self._program, "ready": ready, "checks": found}
        return _OK if ready else _AWAY, _JSON, codec.dumps(body)


def keep_numbers(configuration: Configuration) -> None:
    """If they are to be told; before the parts are made that they are about."""
    if configuration.section(MonitoringOptions).listen:
        METRICS.turn_on()


def in_worker(configuration: Configuration) -> None:
    """The same, in a process whose numbers another one tells."""
    if SHARED in os.environ:
        keep_numbers(configuration)


@contextmanager
def monitored(
    configuration: Configuration, program: str, checks: Mapping[str, Check], *, workers: bool = False
) -> Iterator[None]:
    """While inside, numbers and health are told where ``[monitoring]`` says. Raises PortTaken, BadConfiguration.

    ``workers``: this process will start others, and they do the work. Their numbers meet in one folder.
    """
    options = configuration.section(MonitoringOptions)
    if not options.listen:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="kilonova-metrics-") as folder:
        if workers:
            os.environ[SHARED] = folder
        METRICS.turn_on()
        monitor = Monitor(program, options, checks)
        monitor.start()
        try:
            yield
        finally:
            monitor.stop()
