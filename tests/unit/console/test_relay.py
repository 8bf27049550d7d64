import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.console.recording import Recording
from kilonova.console.relay import EXPIRED, NORMAL, Relay


class PlainBrowser:
    """WebSocket whose messages are just bytes on a socket; can be told to refuse writes for a while."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.refusals: deque[bool] = deque()
        self.offered: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        end.settimeout(0)

    def fileno(self) -> int:
        return self.end.fileno()

    def pending(self) -> bool:
        return False

    def recvmsg(self) -> bytes | None:
        try:
            return self.end.recv(65536) or None
        except BlockingIOError as error:
            raise ssl.SSLWantReadError from error

    def sendmsg(self, msg: bytes) -> int:
        self.offered.append(msg)
        if self.refusals and self.refusals.popleft():
            raise ssl.SSLWantWriteError
        return self.end.send(msg)

    def shutdown(self, how: int, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Session:
    def __init__(self) -> None:
        self.user, browser_end = socket.socketpair()
        self.guest, self.guest_end = socket.socketpair()
        for end in (self.user, self.guest):
            end.settimeout(5)
        self.browser = PlainBrowser(browser_end)
        self.reason: str | None = None
        self.thread: threading.Thread | None = None

    def begin(self, relay: Relay) -> Relay:
        def run() -> None:
            self.reason = relay.run()

        self.thread = threading.Thread(target=run)
        self.thread.start()
        return relay

    def ended(self) -> str | None:
        assert self.thread is not None
        self.thread.join(5)
        assert not self.thread.is_alive()
        return self.reason

    def close(self) -> None:
        for end in (self.user, self.browser.end, self.guest, self.guest_end):
            end.close()


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made.close()


def test_bytes_go_both_ways_until_the_browser_leaves(session: Session) -> None:
    session.begin(Relay(session.browser, session.guest_end))
    session.user.sendall(b"key")
    assert session.guest.recv(10) == b"key"
    session.guest.sendall(b"picture")
    assert session.user.recv(10) == b"picture"
    session.user.close()
    assert session.ended() == "Browser closed"


def test_what_goes_both_ways_is_recorded_where_that_is_wanted(session: Session, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r")
    session.begin(Relay(session.browser, session.guest_end, recording=recording))
    session.user.sendall(b"key")
    assert session.guest.recv(10) == b"key"
    session.guest.sendall(b"picture")
    assert session.user.recv(10) == b"picture"
    session.user.close()
    assert session.ended() == "Browser closed"
    recording.close()
    lines = (tmp_path / "r").read_text().splitlines()[1:]
    assert [(line[:2], line[-6:]) for line in lines[:2]] == [('"}', '}key",'), ('"{', 'ture",')]


def test_the_guest_ends_the_session_with_a_normal_close(session: Session) -> None:
    session.begin(Relay(session.browser, session.guest_end))
    session.guest.sendall(b"bye")
    session.guest.close()
    assert session.ended() == "Console closed"
    assert session.user.recv(10) == b"bye"
    assert session.browser.closed == (NORMAL, "Console closed")


def test_a_message_that_did_not_fit_is_offered_again_unchanged(session: Session) -> None:
    session.browser.refusals.extend([True, True])
    session.begin(Relay(session.browser, session.guest_end))
    session.guest.sendall(b"picture")
    assert session.user.recv(10) == b"picture"
    session.user.close()
    session.ended()
    assert session.browser.offered == [b"picture"] * 3


def test_a_large_transfer_arrives_whole(session: Session) -> None:
    session.begin(Relay(session.browser, session.guest_end))
    data = bytes(range(256)) * 4096
    writer = threading.Thread(target=session.user.sendall, args=(data,))
    writer.start()
    arrived = b""
    while len(arrived) < len(data):
        arrived += session.guest.recv(65536)
    writer.join()
    assert arrived == data
    session.user.close()
    session.ended()


def test_the_session_ends_when_its_time_is_over(session: Session) -> None:
    session.begin(Relay(session.browser, session.guest_end, until=time.monotonic() + 0.05))
    assert session.ended() == "The token has expired"
    assert session.browser.closed == (EXPIRED, "The token has expired")


def test_stop_ends_it_from_another_thread(session: Session) -> None:
    relay = session.begin(Relay(session.browser, session.guest_end))
    relay.stop()
    assert session.ended() in {"Console closed", "Proxy stops"}
