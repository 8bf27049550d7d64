"""Leads guests to the compute metadata service, saying who asks.

A guest's request to 169.254.169.254:80 is redirected to this proxy on its way into the host. The sender's address is
the guest's (anti-spoofing holds it to that, and no two subnets of the lab overlap), so it names the port, the server
and the project; the headers are those Neutron's metadata agent sends, signed with the shared secret.
"""

import hashlib
import hmac
import http.client
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from kilonova.lab.networks.options import LabNetworkOptions
from kilonova.lab.networks.store.documents import Document, NetworkStore

LOG = logging.getLogger(__name__)
_TIMEOUT = 60
_LARGEST = 1 << 20
_NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
_OURS = {"x-forwarded-for", "x-instance-id", "x-tenant-id", "x-instance-id-signature", "x-metadata-provider"}


def signature(secret: str, instance_id: str) -> str:
    """HMAC-SHA256 of the instance id, hexadecimal."""
    return hmac.new(secret.encode(), instance_id.encode(), hashlib.sha256).hexdigest()


class MetadataProxy:
    """WSGI callable; serve it with ``kit.http.serve.ThreadedServer`` on ``0.0.0.0:metadata_proxy_port``.

    The firewall lets only redirected requests of guests and the host itself reach it.
    """

    def __init__(self, store: NetworkStore, options: LabNetworkOptions) -> None:
        self._store = store
        self._secret = options.metadata_proxy_shared_secret
        self._target = urlsplit(options.metadata_url)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one guest."""
        sender = environ.get("REMOTE_ADDR", "")
        port = self._port(sender)
        if port is None:
            LOG.info("Metadata asked for by %s, which is no guest's address", sender)
            return _say(start_response, "404 Not Found", b"No server has this address.\n")
        try:
            return self._forward(environ, start_response, sender, port)
        except (OSError, http.client.HTTPException) as error:
            LOG.warning("The metadata service at %s does not answer: %s", self._target.geturl(), error)
            return _say(start_response, "503 Service Unavailable", b"The metadata service does not answer.\n")

    def _port(self, address: str) -> Document | None:
        with self._store.read() as documents:
            port = documents.port_by_address(address)
        if port is None or not port["device_id"] or port["device_owner"].startswith("network:"):
            return None
        return port

    def _forward(
        self, environ: dict[str, Any], start_response: Callable[..., Any], sender: str, port: Document
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _LARGEST))
        headers = _given(environ) | {
            "X-Forwarded-For": sender,
            "X-Instance-ID": port["device_id"],
            "X-Tenant-ID": port["project_id"],
            "X-Instance-ID-Signature": signature(self._secret, port["device_id"]),
        }
        connection = http.client.HTTPConnection(
            self._target.hostname or "127.0.0.1", self._target.port or 80, timeout=_TIMEOUT
        )
        try:
            connection.request(environ["REQUEST_METHOD"], _path(environ), body or None, headers)
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        passed = [(k, v) for k, v in reply.getheaders() if k.lower() not in _NOT_FORWARDED]
        start_response(f"{reply.status} {reply.reason}", [*passed, ("Content-Length", str(len(data)))])
        return [data]


def _given(environ: dict[str, Any]) -> dict[str, str]:
    """The guest's own headers, except those that say who it is."""
    found = {k[5:].replace("_", "-").title(): str(v) for k, v in environ.items() if k.startswith("HTTP_")}
    return {k: v for k, v in found.items() if k.lower() not in _NOT_FORWARDED | _OURS}


def _path(environ: dict[str, Any]) -> str:
    path = environ.get("REQUEST_URI") or environ.get("PATH_INFO") or "/"
    query = environ.get("QUERY_STRING")
    return f"{path}?{query}" if query and "?" not in path else path


def _say(start_response: Callable[..., Any], status: str, text: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
