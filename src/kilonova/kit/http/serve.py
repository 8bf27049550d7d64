"""Serving WSGI applications: threads in this process (cheroot), or worker processes (granian)."""

import contextlib
import http.client
import importlib.util
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from cheroot import wsgi

from kilonova.kit import signals
from kilonova.kit.errors import Unavailable
from kilonova.kit.service_manager import ServiceManager

LOG = logging.getLogger(__name__)
_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 10.0
_ORPHAN_SECONDS = 60.0
"""A worker without the process that made it has so long to finish its requests."""
_MOMENT = 0.02
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class PortTaken(Unavailable):
    """The address cannot be listened on."""

    template = "Cannot listen on {host}:{port}: {reason}"


class ThreadedServer:
    """One application on one port, served by threads of this process."""

    def __init__(self, app: Callable[..., Any], host: str, port: int, *, name: str, threads: int = 8) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._server = wsgi.Server(
            (host, port), app, numthreads=threads, request_queue_size=128, server_name="", timeout=30
        )
        self._server.max_request_header_size = 64 << 10
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen and serve in the background. Raises PortTaken."""
        try:
            self._server.prepare()
        except OSError as error:
            raise PortTaken(host=self.host, port=self.port, reason=str(error)) from error
        self.port = self._server.bind_addr[1]
        self._thread = threading.Thread(target=self._server.serve, name=f"http-{self.name}", daemon=True)
        self._thread.start()
        LOG.info("%s listens on http://%s:%s", self.name, self.host, self.port)

    def stop(self) -> None:
        """Finish running requests and close the port."""
        # cheroot has been seen to wait for ever for a worker thread that had ended: that must not keep a process alive.
        stopping = threading.Thread(target=self._server.stop, name=f"stop-{self.name}", daemon=True)
        stopping.start()
        # Its other thread looks whether to stop when somebody comes, or else twice a second.
        stopping.join(timeout=_MOMENT)
        with contextlib.suppress(OSError):
            socket.create_connection((_ANY.get(self.host, self.host), self.port), timeout=1).close()
        stopping.join(timeout=_STOP_SECONDS)
        if self._thread is not None:
            self._thread.join(timeout=10)


def answers(host: str, port: int) -> bool:
    """Does an HTTP service answer there, whatever it says?"""
    connection = http.client.HTTPConnection(_ANY.get(host, host), port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def serve_workers(
    target: str,
    host: str,
    port: int,
    *,
    workers: int,
    threads: int = 8,
    name: str = "kilonova",
    drain: float = _STOP_SECONDS,
) -> None:
    """Serve ``module:factory`` (a callable that makes the WSGI application) in worker processes.

    Until SIGTERM or SIGINT: running requests then have ``drain`` seconds. SIGHUP replaces the workers one by one by
    such that read the configuration anew; nobody is refused meanwhile.

    They are spawned, not forked: a copy of a process with threads may find their locks held for ever, and a copy of its
    handlers lets a signal go unheard that comes before the worker has its own.
    """
    multiprocessing.set_start_method("spawn", force=True)
    from granian import Granian  # noqa: PLC0415  # a compiled server that only multi-process services load
    from granian.constants import Interfaces  # noqa: PLC0415

    server = Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        factory=True,
        log_access=False,
        process_name=name if importlib.util.find_spec("setproctitle") else None,
        respawn_failed_workers=True,
        # Never none: a worker told to stop before it listens for that would live for ever.
        workers_kill_timeout=max(int(drain), 1),
    )
    manager = ServiceManager(lambda: answers(host, port))

    @server.on_startup
    def begin() -> None:
        manager.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            _before(number, manager.stopping)
        _before(signal.SIGHUP, lambda: None)

    server.on_reload(lambda: manager.reload(lambda: None))  # new workers read it themselves
    server.serve()


def end_with_parent() -> None:
    """In a worker process: end when the process that made it does, even if that was killed and could tell nobody.

    The port would else go on being served by what nobody reloads or stops.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_ORPHAN_SECONDS)  # the library's worker may not have listened for it yet
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _before(number: int, work: Callable[[], None]) -> None:
    """``work`` is done before what is done already when the signal comes, and neither in the main thread."""
    after = signal.getsignal(number)

    def both(received: int) -> None:
        work()
        if callable(after):
            after(received, None)

    signals.answer(number, both)
