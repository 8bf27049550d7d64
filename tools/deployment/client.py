"""A plain HTTP client of the Compute API, sparing the processor that it shares with what it measures."""

import http.client
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Refused(Exception):
    """The service answered with an error status."""


class Client:
    """One kept connection to one endpoint. Not for several threads."""

    def __init__(self, url: str, token: str, version: str = "2.90") -> None:
        parts = urlsplit(url)
        self._prefix = parts.path.rstrip("/")
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=120)
        self._headers = {"X-Auth-Token": token, "Accept": "application/json"}
        if version:
            self._headers["OpenStack-API-Version"] = f"compute {version}"

    def put_bytes(self, path: str, data: bytes) -> None:
        """Upload. Raises Refused."""
        headers = {**self._headers, "Content-Type": "application/octet-stream"}
        self._connection.request("PUT", self._prefix + path, data, headers)
        reply = self._connection.getresponse()
        reply.read()
        if reply.status >= http.client.BAD_REQUEST:
            raise Refused(f"PUT {path}: {reply.status}")

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body."""
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        kept = self._connection.sock is not None
        try:
            return self._answer(method, self._prefix + path, data, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
            if not kept:
                raise
        return self._answer(method, self._prefix + path, data, headers)  # it was closed for having been idle

    def _answer(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, data, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.read()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The document. Raises Refused."""
        status, data = self.ask(method, path, body)
        if status >= http.client.BAD_REQUEST:
            raise Refused(f"{method} {path}: {status} {data[:300]!r}")
        return json.loads(data) if data else None


def token(login: Mapping[str, str]) -> tuple[str, str]:
    """A token of Keystone for ``OS_*`` variables, and its project's id."""
    user = {"name": login["OS_USERNAME"], "password": login["OS_PASSWORD"], "domain": {"id": "default"}}
    scope = {"project": {"name": login["OS_PROJECT_NAME"], "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    parts = urlsplit(login["OS_AUTH_URL"])
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=60)
    connection.request("POST", "/v3/auth/tokens", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    document = json.loads(reply.read())
    connection.close()
    return str(reply.headers["X-Subject-Token"]), str(document["token"]["project"]["id"])


def until(what: str, condition: Callable[[], Any], seconds: float = 120, pause: float = 0.05) -> Any:
    """What ``condition`` gives once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come to pass within {seconds} s")
        time.sleep(pause)


def command_over(path: Path) -> str:
    """A program that has ``deployment/preloaded.py`` do its work; its name says which client it is."""
    return f"""#!{sys.executable} -IS
import json, os, socket, sys
request = {{"argv": sys.argv, "environ": dict(os.environ), "cwd": os.getcwd()}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect({str(path)!r})
    socket.send_fds(server, [json.dumps(request).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.recv(8) or b"70"))
"""
