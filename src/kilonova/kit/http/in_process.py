"""Calling a WSGI application of this process as if it were behind a URL, without a socket.

``session.mount("http://placement.local", WsgiAdapter(app))`` gives a ``requests`` (and so a keystoneauth) session
a neighbour in the same process. The all-in-one and the tests use it.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

LOG = logging.getLogger(__name__)
WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiAdapter(BaseAdapter):
    """A transport adapter of ``requests`` whose other end is ``app``. An exception of the application is a 500."""

    def __init__(self, app: WsgiApplication) -> None:
        super().__init__()
        self._app = app

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002  # the signature is that of requests
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002  # the same
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """One call; the body is read as the caller reads it."""
        del stream, timeout, verify, cert, proxies
        answer: list[Any] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Callable[[bytes], None]:
            answer[:] = [status, headers]
            return written.append

        try:
            body = _Body(self._app(_environ(request), start_response), written)
            if not answer:
                body.begin()
            status, headers = answer
        except Exception:
            LOG.exception("%s %s in this process", request.method, request.url)
            body, status, headers = _Body([], []), "500 Internal Server Error", []
        return _response(request, status, headers, body)

    def close(self) -> None:
        """Nothing is held open."""


def _response(
    request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], body: "_Body"
) -> requests.Response:
    response = requests.Response()
    code, _, reason = status.partition(" ")
    response.status_code = int(code)
    response.reason = reason
    response.headers = CaseInsensitiveDict(headers)
    response.url = request.url or ""
    response.request = request
    response.encoding = "utf-8"
    response.raw = body
    return response


class _Body(io.RawIOBase):
    """The application's iterable as a file."""

    def __init__(self, parts: Iterable[bytes], written: list[bytes]) -> None:
        super().__init__()
        self._source = parts
        self._parts: Iterator[bytes] = iter(parts)
        self._rest = b"".join(written)

    def begin(self) -> None:
        """Run the application up to its first bytes: a generator calls ``start_response`` only then."""
        self._rest += next(self._parts, b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            closer = getattr(self._source, "close", None)
            if closer is not None:
                closer()
        super().close()

    def release_conn(self) -> None:
        """What requests calls when it is done with a reply."""
        self.close()


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "/")
    body = request.body
    stream = body if hasattr(body, "read") else io.BytesIO(body.encode() if isinstance(body, str) else body or b"")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": stream,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value if isinstance(value, str) else value.decode("latin-1")
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        value = environ.pop("HTTP_" + name, None)
        if value is not None:
            environ[name] = value
    return environ
