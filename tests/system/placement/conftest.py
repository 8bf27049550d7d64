"""Our placement service as a process of its own, on SQLite, with noauth2."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent
_START_SECONDS = 30


def started(folder: Path, environ: dict[str, str], *command: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server and where it listens, which its log says."""
    log = folder / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env={**os.environ, **environ}, cwd=folder)
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"(?i)listen\w* (?:at|on):? (http://127\.0\.0\.1:\d+)", log.read_text())
        if found and answers(found[1]):
            return process, found[1]
        time.sleep(0.05)
    stopped(process)
    raise AssertionError(f"{command[0]} does not serve: {log.read_text()[-2000:]}")


def answers(url: str) -> bool:
    """A server may say that it listens before it does."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """For servers that must be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stopped(process: subprocess.Popen[bytes]) -> None:
    """Ended, whether it wants or not."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def configured(folder: Path, url: str | None = None, **database: str) -> Path:
    """A ``placement.conf`` over this database, or one in ``folder``."""
    file = folder / "placement.conf"
    lines = [f"{name} = {text}" for name, text in database.items()]
    connection = f"connection = {url or f'sqlite:///{folder}/placement.db'}"
    file.write_text("\n".join(["[api]", "auth_strategy = noauth2", "[placement_database]", connection, *lines, ""]))
    return file


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """URL of an empty ``placement-api``."""
    file = configured(tmp_path, sync_on_startup="true")
    program = (str(PROGRAMS / "placement-api"), "--config-file", str(file), "--host", "127.0.0.1", "--port", "0")
    process, url = started(tmp_path, {}, *program)
    yield url
    stopped(process)
