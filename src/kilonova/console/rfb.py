"""The security part of RFB, spoken by the proxy itself: VeNCrypt towards QEMU, none towards the browser.

A browser cannot show a compute host the client certificate that it asks for, so the proxy settles the security with
both and relays from there on. RFC 6143 (7.1: version, security types, their result); VeNCrypt 0.2 as QEMU has it.
"""

import ssl
import struct
from collections.abc import Callable
from http import HTTPStatus
from socket import socket
from typing import Any

from kilonova.console.options import VncOptions
from kilonova.console.target import Refused
from kilonova.kit.options import BadConfiguration

_VERSION = b"RFB 003.008\n"
_NONE, _VENCRYPT = 1, 19
_VENCRYPT_VERSION = b"\x00\x02"
_X509_NONE = 260
"""VeNCrypt's subtype: TLS with certificates, no password inside."""
_MOST_WORDS = 1024
_PRINTABLE = range(32, 127)
Settle = Callable[[socket, str], socket]
"""Given the guest's socket and its host, the socket to go on with. Raises Refused, OSError."""


class VncSecurity:
    """The schemes of ``[vnc] auth_schemes``, the first that a compute host offers. Raises BadConfiguration."""

    def __init__(self, options: VncOptions) -> None:
        known: dict[str, Callable[[], tuple[int, Settle]]] = {"none": _nothing, "vencrypt": lambda: _vencrypt(options)}
        if not options.auth_schemes or not set(options.auth_schemes) <= known.keys():
            raise BadConfiguration(reason="[vnc] auth_schemes is a list of vencrypt and none")
        self._schemes = [known[name]() for name in options.auth_schemes]
        self._wanted = ", ".join(options.auth_schemes)

    def to_guest(self, guest: socket, host: str) -> socket:
        """Settle the security with a compute host; what follows on the socket is its verdict. Raises Refused, OSError.

        The socket that is given back may be another one, which has taken over the first.
        """
        if _read(guest, len(_VERSION)) != _VERSION:
            raise _refused("The server's console does not speak RFB 3.8")
        guest.sendall(_VERSION)
        offered = _read(guest, _read(guest, 1)[0])
        if not offered:
            raise _refused(f"The server's console refuses: {_words(guest)}")
        for code, settle in self._schemes:
            if code in offered:
                guest.sendall(bytes([code]))
                return settle(guest, host)
        raise _refused(f"The server's console offers none of [vnc] auth_schemes = {self._wanted}")

    def to_browser(self, browser: Any) -> bool:
        """Tell the browser that there is nothing to settle; False when it does not speak RFB 3.8."""
        browser.sendmsg(_VERSION)
        if browser.recvmsg() != _VERSION:
            return False
        browser.sendmsg(bytes([1, _NONE]))
        return bool(browser.recvmsg() == bytes([_NONE]))


def _nothing() -> tuple[int, Settle]:
    return _NONE, lambda guest, _host: guest


def _vencrypt(options: VncOptions) -> tuple[int, Settle]:
    tls = _client_tls(options)
    return _VENCRYPT, lambda guest, host: _encrypted(guest, host, tls)


def _encrypted(guest: socket, host: str, tls: ssl.SSLContext) -> socket:
    """VeNCrypt: versions, subtypes, then TLS with certificates on both sides."""
    if _read(guest, 2) < _VENCRYPT_VERSION:
        raise _refused("The server's console speaks an old VeNCrypt")
    guest.sendall(_VENCRYPT_VERSION)
    if _read(guest, 1) != b"\x00":
        raise _refused("The server's console refuses VeNCrypt 0.2")
    count = _read(guest, 1)[0]
    if _X509_NONE not in struct.unpack(f">{count}I", _read(guest, 4 * count)):
        raise _refused("The server's console offers no VeNCrypt with certificates")
    guest.sendall(struct.pack(">I", _X509_NONE))
    if _read(guest, 1) != b"\x01":
        raise _refused("The server's console refuses VeNCrypt with certificates")
    try:
        return tls.wrap_socket(guest, server_hostname=host)
    except ssl.SSLError as error:
        raise _refused(f"TLS with the server's compute host {host} fails: {error.reason or error}") from error


def _client_tls(options: VncOptions) -> ssl.SSLContext:
    """The compute host's certificate must be for the address that the proxy connects to."""
    if not options.vencrypt_ca_certs:
        raise BadConfiguration(reason="[vnc] vencrypt_ca_certs is needed for auth_schemes with vencrypt")
    try:
        context = ssl.create_default_context(cafile=options.vencrypt_ca_certs)
        if options.vencrypt_client_cert:
            context.load_cert_chain(options.vencrypt_client_cert, options.vencrypt_client_key or None)
    except (OSError, ssl.SSLError) as error:
        reason = f"[vnc] vencrypt_ca_certs, vencrypt_client_cert or vencrypt_client_key: {error}"
        raise BadConfiguration(reason=reason) from error
    return context


def _refused(words: str) -> Refused:
    return Refused(HTTPStatus.BAD_GATEWAY, words)


def _read(guest: socket, count: int) -> bytes:
    """Exactly so many bytes. Raises OSError when the other side leaves before."""
    found = b""
    while len(found) < count:
        part = guest.recv(count - len(found))
        if not part:
            raise ConnectionResetError("it has closed the connection")
        found += part
    return found


def _words(guest: socket) -> str:
    """The reason that an RFB server gives; only what cannot break the status line that it is shown in."""
    (length,) = struct.unpack(">I", _read(guest, 4))
    return "".join(chr(byte) for byte in _read(guest, min(length, _MOST_WORDS)) if byte in _PRINTABLE)
