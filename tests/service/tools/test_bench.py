"""The benchmark against a compute API of a few lines."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

BENCH = Path(__file__).parents[3] / "tools" / "bench.py"


class Compute(BaseHTTPRequestHandler):
    """Servers are BUILD at the first look, ACTIVE from the second, and gone when deleted."""

    protocol_version = "HTTP/1.1"
    looks: ClassVar[dict[str, int]] = {}
    requests: ClassVar[list[tuple[str, str | None]]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()

    def reply(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        server = self.path.rpartition("/")[2]
        with self.lock:
            self.requests.append((self.path, self.headers.get("X-Auth-Token")))
            if self.path.endswith("/flavors"):
                return self.reply(200, {"flavors": [{"id": "1", "name": "m1.tiny"}]})
            if self.path.endswith("/servers/detail?limit=1000"):
                return self.reply(200, {"servers": []})
            if server not in self.looks:
                return self.reply(404, {"itemNotFound": {}})
            self.looks[server] += 1
            return self.reply(200, {"server": {"status": "ACTIVE" if self.looks[server] > 1 else "BUILD"}})

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["server"]
        assert wanted["flavorRef"] == "1"
        with self.lock:
            if wanted["name"] == "bench-5":
                return self.reply(403, {"forbidden": {"message": "Quota exceeded"}})
            self.looks[wanted["name"]] = 0
            return self.reply(202, {"server": {"id": wanted["name"]}})

    def do_DELETE(self) -> None:
        with self.lock:
            del self.looks[self.path.rpartition("/")[2]]
            self.reply(204)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's signature
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Compute)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v2.1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_step_is_one_line_with_latency_cpu_and_failures(url: str, tmp_path: Path) -> None:
    (tmp_path / "pids").write_text(json.dumps({"groups": {"api": [os.getpid()]}}))
    command = [sys.executable, str(BENCH), "--url", url, "--token", "t", "--image", "i", "-n", "4", "-c", "2"]
    command += ["--pids", str(tmp_path / "pids"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = {record["step"]: record for record in map(json.loads, done.stdout.splitlines())}
    assert list(lines) == ["boot", "accept", "burst", "show", "list", "delete"], done.stderr
    assert (lines["boot"]["n"], lines["boot"]["errors"]) == (4, 0)
    assert lines["boot"]["p50_ms"] >= lines["accept"]["p50_ms"] > 0
    assert (lines["burst"]["n"], lines["burst"]["errors"], lines["burst"]["concurrency"]) == (3, 1, 2)
    assert "Quota exceeded" in lines["burst"]["error"]
    assert lines["show"]["n"] == 40
    assert lines["show"]["cpu_ms_per_op"]["api"] >= 0
    assert (lines["delete"]["n"], Compute.looks) == (7, {})
    assert done.returncode == 1, "a failure shows in the exit code"
    assert (tmp_path / "out").read_text() == done.stdout
    assert {token for _, token in Compute.requests} == {"t"}
