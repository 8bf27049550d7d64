import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.kit.service_manager import ServiceManager


@pytest.fixture
def manager_side(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


def test_ready_watched_reloaded_and_stopping_are_told(manager_side: socket.socket) -> None:
    answers = iter([False, True])
    watched = {"WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    told_at = {"NOTIFY_SOCKET": manager_side.getsockname(), **watched}
    manager = ServiceManager(lambda: next(answers, True), told_at, look=0.01)
    manager.start()
    assert [manager_side.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    read: list[str] = []
    manager.reload(lambda: read.append("again"))
    assert read == ["again"]
    told = [manager_side.recv(100)]
    while told[-1] != b"READY=1":
        told.append(manager_side.recv(100))
    assert any(words.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for words in told)
    manager.stopping()
    while manager_side.recv(100) != b"STOPPING=1":
        pass


def test_what_does_not_answer_is_not_vouched_for(manager_side: socket.socket) -> None:
    asked, enough = list[int](), threading.Event()

    def alive() -> bool:
        asked.append(1)
        if len(asked) == 4:
            enough.set()
        return False

    ServiceManager(alive, {"NOTIFY_SOCKET": manager_side.getsockname()}, look=0.02).start()
    assert enough.wait(10)
    manager_side.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager_side.recv(100)


def test_without_a_manager_nothing_is_told(manager_side: socket.socket) -> None:
    ServiceManager(lambda: True, {}).stopping()
    ServiceManager(lambda: True, {"NOTIFY_SOCKET": "/nowhere/at/all"}).stopping()
    manager_side.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager_side.recv(100)
