import socket
import struct
import threading
from collections.abc import Callable

import pytest

from kilonova.console.options import VncOptions
from kilonova.console.rfb import VncSecurity
from kilonova.console.target import Refused

VERSION = b"RFB 003.008\n"
REASON = b"too many\r\nX-Evil: 1\xff"


def guest(said: bytes) -> tuple[socket.socket, Callable[[], bytes]]:
    """A guest that says all this; the other thing is what it has heard."""
    ours, its = socket.socketpair()
    ours.settimeout(5)
    heard: list[bytes] = []

    def talk() -> None:
        its.sendall(said)
        its.shutdown(socket.SHUT_WR)
        while part := its.recv(100):
            heard.append(part)
        its.close()

    thread = threading.Thread(target=talk)
    thread.start()

    def ended() -> bytes:
        ours.close()
        thread.join()
        return b"".join(heard)

    return ours, ended


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400", "does not speak RFB 3.8"),
        (b"RFB 003.003\n", "does not speak RFB 3.8"),
        (VERSION + b"\0" + struct.pack(">I", len(REASON)) + REASON, "refuses: too manyX-Evil: 1$"),
        (VERSION + b"\x01\x02", "offers none of .vnc. auth_schemes = none, none"),
    ],
)
def test_guests_that_cannot_be_settled_with_are_refused_in_one_line(said: bytes, words: str) -> None:
    ours, ended = guest(said)
    with pytest.raises(Refused, match=words):
        VncSecurity(VncOptions(auth_schemes=["none", "none"])).to_guest(ours, "h")
    ended()


def test_a_guest_that_leaves_is_an_error_of_the_wire() -> None:
    ours, ended = guest(VERSION + b"\x02\x01")
    with pytest.raises(OSError, match="closed"):
        VncSecurity(VncOptions()).to_guest(ours, "h")
    ended()


def test_the_scheme_that_both_know_is_chosen() -> None:
    ours, ended = guest(VERSION + b"\x02\x13\x01")
    assert VncSecurity(VncOptions()).to_guest(ours, "h") is ours
    assert ended() == VERSION + b"\x01"


class Browser:
    def __init__(self, *says: bytes) -> None:
        self._says = list(says)
        self.told: list[bytes] = []

    def recvmsg(self) -> bytes:
        return self._says.pop(0)

    def sendmsg(self, message: bytes) -> None:
        self.told.append(message)


@pytest.mark.parametrize(
    ("says", "goes_on"), [((VERSION, b"\x01"), True), ((b"RFB 003.003\n",), False), ((VERSION, b"\x02"), False)]
)
def test_the_browser_is_offered_no_security(says: tuple[bytes, ...], *, goes_on: bool) -> None:
    browser = Browser(*says)
    assert VncSecurity(VncOptions()).to_browser(browser) is goes_on
    assert browser.told[0] == VERSION
    assert browser.told[1:] in ([b"\x01\x01"], [])
