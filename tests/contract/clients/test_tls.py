"""Neighbours behind TLS, as [neutron] cafile, insecure, certfile and keyfile say."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.authority import Authority

from kilonova.clients.keystone.errors import NeighbourDown
from kilonova.clients.keystone.neighbours import neighbour
from kilonova.kit.clock import ManualClock
from kilonova.kit.options import from_mapping
from kilonova.kit.sessions import Sessions


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's signature
        """Quiet."""


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handshakes that fail are what is tried here."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, str]]]:
    """Port of a server that wants clients' certificates, and the files that it takes to talk to it."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server", "127.0.0.1"))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    certificate, key = authority.sign("client")
    both = Path(certificate).with_name("both.pem")
    both.write_text(certificate.read_text() + key.read_text())
    files = {"ca": authority.ca, "stranger": stranger.ca, "cert": certificate, "key": key, "both": both}
    yield server.server_address[1], {name: str(path) for name, path in files.items()}
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cafile": "ca", "certfile": "cert", "keyfile": "key"}, None),
        ({"cafile": "ca", "certfile": "both"}, None),
        ({"insecure": True, "certfile": "cert", "keyfile": "key"}, None),
        ({"certfile": "cert", "keyfile": "key"}, "certificate verify failed"),
        ({"cafile": "stranger", "certfile": "cert", "keyfile": "key"}, "certificate verify failed"),
        ({"cafile": "ca"}, "certificate required|Connection aborted|reset|EOF"),
    ],
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # which is what insecure asks for
def test_both_sides_prove_who_they_are(
    place: tuple[int, dict[str, str]], options: dict[str, Any], words: str | None
) -> None:
    port, files = place
    section = {name: files.get(value, value) if isinstance(value, str) else value for name, value in options.items()}
    section |= {"endpoint_override": f"https://127.0.0.1:{port}", "connect_retries": 0}
    far = neighbour(Sessions(from_mapping({"neutron": section})), "neutron", ManualClock())
    if words is None:
        assert far.get("/x") == {}
    else:
        with pytest.raises(NeighbourDown, match=words):
            far.get("/x")
