"""Carrying bytes between a browser's WebSocket and a guest's TCP console, in the thread of the connection."""

import selectors
import socket
import ssl
import time
from contextlib import suppress
from typing import Any, Protocol

from kilonova.console.recording import Recording

_CHUNK = 65536
_QUEUED = 1 << 20
"""Bytes waiting for the guest above which the browser is not read."""
_TICK = 5.0
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""A side that has nothing to give or take now; guests may be behind TLS, too.

A whole TLS record fits into a chunk, so nothing stays behind in the TLS library that the selector would not see.
"""
NORMAL, TRY_LATER, EXPIRED = 1000, 1013, 1008
"""Close codes: RFC 6455, 7.4.1, and its registry."""


class WebSocket(Protocol):
    """As much of websockify's WebSocket as a relay needs; all calls may raise ssl.SSLWant…Error."""

    def fileno(self) -> int: ...

    def recvmsg(self) -> bytes | None: ...

    def pending(self) -> bool: ...

    def sendmsg(self, msg: bytes) -> int: ...

    def shutdown(self, how: int, code: int, reason: str) -> None: ...


class Relay:
    """One console session."""

    def __init__(
        self,
        browser: WebSocket,
        guest: socket.socket,
        *,
        until: float | None = None,
        recording: Recording | None = None,
    ) -> None:
        self._browser = browser
        self._guest = guest
        self._until = until
        """Monotonic time at which the session must end."""
        self._recording = recording
        self._to_browser = b""
        self._to_guest = b""
        self._stopped = False

    def stop(self) -> None:
        """End the session soon; called from another thread."""
        self._stopped = True
        with suppress(OSError):
            self._guest.shutdown(socket.SHUT_RDWR)

    def run(self) -> str:
        """Relay until one side closes; returns why it ended."""
        self._guest.settimeout(0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._browser, selectors.EVENT_READ)
            selector.register(self._guest, selectors.EVENT_READ)
            code, reason = self._loop(selector)
        with suppress(OSError):  # the browser may be gone
            self._browser.shutdown(socket.SHUT_RDWR, code, reason)
        return reason

    def _loop(self, selector: selectors.BaseSelector) -> tuple[int, str]:
        while not self._stopped:
            if self._until is not None and time.monotonic() >= self._until:
                return EXPIRED, "The token has expired"
            self._interests(selector)
            ready = {key.fd: mask for key, mask in selector.select(self._patience())}
            if not self._from_browser(ready.get(self._browser.fileno(), 0)):
                return NORMAL, "Browser closed"
            if not self._from_guest(ready.get(self._guest.fileno(), 0)):
                return NORMAL, "Console closed"
        return TRY_LATER, "Proxy stops"

    def _patience(self) -> float:
        return _TICK if self._until is None else max(0.0, min(_TICK, self._until - time.monotonic()))

    def _interests(self, selector: selectors.BaseSelector) -> None:
        """A side whose peer cannot keep up is not read."""
        write, read = selectors.EVENT_WRITE, selectors.EVENT_READ
        # Nothing is read either while a message waits to be sent: websockify could not answer a ping in between.
        browser = write if self._to_browser else (read if len(self._to_guest) < _QUEUED else 0)
        guest = (write if self._to_guest else 0) | (0 if self._to_browser else read)
        for end, mask in ((self._browser, browser), (self._guest, guest)):
            _watch(selector, end, mask)

    def _from_browser(self, ready: int) -> bool:
        """False once the browser is gone."""
        if self._to_browser and ready & selectors.EVENT_WRITE:
            self._send()
        if not ready & selectors.EVENT_READ:
            return True
        while True:
            try:
                message = self._browser.recvmsg()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            except (OSError, ValueError):  # ValueError: websockify, when a pong did not fit either
                return False
            if message is None:
                return False
            self._to_guest += message
            if self._recording is not None:
                self._recording.from_browser(message)
            if not self._browser.pending():
                return True

    def _from_guest(self, ready: int) -> bool:
        """False once the guest's console is gone."""
        try:
            if self._to_guest:
                with suppress(*_LATER):
                    self._to_guest = self._to_guest[self._guest.send(self._to_guest[:_CHUNK]) :]
            if ready & selectors.EVENT_READ and not self._to_browser:
                self._to_browser = self._guest.recv(_CHUNK)
                if not self._to_browser:
                    return False
                if self._recording is not None:
                    self._recording.to_browser(self._to_browser)
                self._send()
        except _LATER:
            return True
        except OSError:
            return False
        return True

    def _send(self) -> None:
        """A message that did not fit must be offered again as it was."""
        try:
            self._browser.sendmsg(self._to_browser)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self._to_browser = b""


def _watch(selector: selectors.BaseSelector, end: Any, mask: int) -> None:
    """Selectors take no empty mask: an end that is not looked at is unregistered."""
    there = end in selector.get_map()
    if mask and there:
        selector.modify(end, mask)
    elif mask:
        selector.register(end, mask)
    elif there:
        selector.unregister(end)
