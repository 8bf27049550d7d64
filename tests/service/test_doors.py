"""Programs with several doors."""

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kilonova.kit.http.serve import PortTaken, answers
from kilonova.kit.options import load
from kilonova.services.doors import Door, Threads


def _application(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "0")])
    return iter(())


def _door(name: str, port: int) -> Door:
    application: Any = _application
    application.service = SimpleNamespace(policy=None)
    return Door(
        name=name,
        assemble=lambda _configuration: application,
        factory="",
        host="127.0.0.1",
        port=port,
        workers=1,
        check=lambda _configuration: None,
        needs=lambda _configuration: {},
    )


# What cheroot leaves of the port that it does not get:
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_taken_port_opens_no_door(tmp_path: Path) -> None:
    """Else the process would stay, and answer on the first door with errors."""
    configuration = load("nova-api", ["--config-dir", str(tmp_path)])
    with socket.create_server(("127.0.0.1", 0)) as free:
        first = int(free.getsockname()[1])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        doors = [_door("one", first), _door("two", int(taken.getsockname()[1]))]
        with pytest.raises(PortTaken):
            Threads(configuration, doors).start()
    assert not answers("127.0.0.1", first)
