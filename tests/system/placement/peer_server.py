"""Serves the reference placement's WSGI application on the port that is the first argument; run in its own venv."""

import sys
from importlib import import_module
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Without a line for each request."""

    protocol_version = "HTTP/1.0"

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


application = import_module("placement.wsgi.api").application
with make_server("127.0.0.1", int(sys.argv[1]), application, Server, Handler) as server:
    sys.stderr.write(f"listens on http://127.0.0.1:{sys.argv[1]}\n")
    server.serve_forever()
