"""Worker processes that serve one port, and what becomes of them with the process that made them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kilonova.kit.http.serve import answers

PROGRAM = """
import sys
from kilonova.kit.http import serve
def factory():
    serve.end_with_parent()
    return app
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
if __name__ == "__main__":
    serve.serve_workers("program:factory", "127.0.0.1", int(sys.argv[1]), workers=2)
"""


def _until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def program(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "program.py").write_text(PROGRAM)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "program.py", str(port)], cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _until("the port", lambda: answers("127.0.0.1", port))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_killed_process_leaves_nobody_at_its_port(program: subprocess.Popen[bytes], port: int) -> None:
    program.kill()
    program.wait()
    _until("the workers to go", lambda: not answers("127.0.0.1", port))


def test_a_stop_right_after_a_reload_ends_it_cleanly(program: subprocess.Popen[bytes]) -> None:
    """Both signals once met in the main thread, which then waited for itself."""
    program.send_signal(signal.SIGHUP)
    program.send_signal(signal.SIGTERM)
    assert program.wait(timeout=20) == 0
