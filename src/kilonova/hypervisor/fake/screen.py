"""An empty screen on a TCP port, for console proxies to reach: RFB 3.8 (RFC 6143), or the greeting of SPICE."""

import contextlib
import socket
import socketserver
import struct
import threading

_VERSION = b"RFB 003.008\n"
_NO_AUTHENTICATION = b"\x01\x01"
_ACCEPTED = bytes(4)
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_NAME = b"kilonova"
_INIT = struct.pack(">HH", 640, 480) + _PIXELS + struct.pack(">I", len(_NAME)) + _NAME
_SPICE_HEADER = struct.Struct("<4sIII")
_SPICE_REPLY = struct.pack("<I162xIII", 0, 0, 0, 178)
"""No error, no key, and no capabilities."""


class _Viewer(socketserver.StreamRequestHandler):
    """One connection: greetings, then whatever is asked goes unanswered, as a screen that never changes may."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for words, answer in ((_VERSION, len(_VERSION)), (_NO_AUTHENTICATION, 1), (_ACCEPTED, 1), (_INIT, 1)):
                self.wfile.write(words)
                if len(self.rfile.read(answer)) < answer:
                    return
            while self.rfile.read1():
                pass


class _SpiceViewer(socketserver.StreamRequestHandler):
    """One connection: the client's link message is answered, nothing else."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            header = self.rfile.read(_SPICE_HEADER.size)
            if header.startswith(b"REDQ") and len(header) == _SPICE_HEADER.size:
                self.rfile.read(_SPICE_HEADER.unpack(header)[-1])
                self.wfile.write(_SPICE_HEADER.pack(b"REDQ", 2, 2, len(_SPICE_REPLY)) + _SPICE_REPLY)
                while self.rfile.read1():
                    pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Screen:
    """Listens from the start until ``close``. Port 0 takes a free one. Raises OSError if it is taken."""

    def __init__(self, address: str, port: int, *, spice: bool = False) -> None:
        self._server = _Server((address, port), _SpiceViewer if spice else _Viewer)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="fake-screen", daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it was closed before
            self._server.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which looks only twice a second
        self._server.shutdown()
        self._server.server_close()
