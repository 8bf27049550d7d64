"""Programs as a service manager meets them: READY=1, SIGHUP, SIGTERM with requests under way; other WSGI servers."""

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment.client import until
from deployment.services import BIN
from deployment.stack import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
SLOW = 3.0


class _SlowImages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(SLOW)
        body = b'{"images": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """Databases in files, no authentication, a slow image service; ports of its own."""

    def __init__(self, directory: Path, images: int) -> None:
        self.directory = directory
        self.ports = {"compute": free_port(), "metadata": free_port(), "placement": free_port()}
        self.images = images
        self.policy = directory / "policy.yaml"
        self.policy.write_text("{}\n")
        self.write(workers=1)
        for words in (("api_db", "sync"), ("cell_v2", "map_cell0"), ("db", "sync"), ("cell_v2", "create_cell")):
            subprocess.run([BIN / "nova-manage", "--config-file", self.file, *words], check=True)
        subprocess.run([BIN / "placement-manage", "--config-file", self.file, "db", "sync"], check=True)

    @property
    def file(self) -> Path:
        return self.directory / "nova.conf"

    def write(self, *, workers: int, debug: bool = False) -> None:
        self.file.write_text(f"""
[DEFAULT]
transport_url = rabbit://nobody@127.0.0.1:1/
debug = {debug}
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = {self.ports["compute"]}
osapi_compute_workers = {workers}
metadata_listen = 127.0.0.1
metadata_listen_port = {self.ports["metadata"]}
metadata_workers = {workers}
[api]
auth_strategy = noauth2
[api_database]
connection = sqlite:///{self.directory}/api
[database]
connection = sqlite:///{self.directory}/cell
[placement_database]
connection = sqlite:///{self.directory}/placement
[glance]
endpoint_override = http://127.0.0.1:{self.images}
[oslo_policy]
policy_file = {self.policy}
""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    images = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _SlowImages)
    threading.Thread(target=images.serve_forever, daemon=True).start()
    yield Site(tmp_path_factory.mktemp("site"), images.server_port)
    images.shutdown()
    images.server_close()


class Program:
    """A process, and what it tells its service manager."""

    def __init__(self, site: Site, words: list[str], **environment: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.bind(str(site.directory / f"notify-{time.monotonic_ns()}"))
        self.listener.settimeout(120)
        self.log = site.directory / "log"
        told = {"NOTIFY_SOCKET": self.listener.getsockname(), "WATCHDOG_USEC": "1500000"}
        with self.log.open("wb") as log:
            own = {**os.environ, **told, **environment}
            self.process = subprocess.Popen(words, stderr=log, stdout=log, env=own, start_new_session=True)

    def told(self, words: bytes) -> None:
        """Wait until it says so."""
        try:
            while not self.listener.recv(200).startswith(words):
                pass
        except TimeoutError:
            pytest.fail(f"{words!r} was not told:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def running(site: Site, *words: str, **environment: str) -> Iterator[Program]:
    found = Program(site, [str(word) for word in words], **environment)
    try:
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found.process.pid, signal.SIGKILL)  # its workers would keep the ports
        found.process.wait()
        found.listener.close()


def get(port: int, path: str, user: str = "admin") -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-Auth-Token": user})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.mark.parametrize("workers", [1, 2])
def test_nova_api_is_ready_watched_reloaded_and_drained(site: Site, workers: int) -> None:
    site.write(workers=workers)
    site.policy.write_text("{}\n")
    compute, metadata = site.ports["compute"], site.ports["metadata"]
    with running(site, str(BIN / "nova-api"), "--config-file", str(site.file)) as program:
        program.told(b"READY=1")
        program.told(b"WATCHDOG=1")
        assert get(compute, "/v2.1/servers", "user")[0] == 200
        assert get(metadata, "/openstack")[0] in {200, 404}  # nobody asks who is a server
        site.policy.write_text('"os_compute_api:servers:index": "role:nobody"\n')
        site.write(workers=workers, debug=True)
        program.process.send_signal(signal.SIGHUP)
        program.told(b"RELOADING=1")
        program.told(b"READY=1")
        until("the new policy", lambda: get(compute, "/v2.1/servers", "user")[0] == 403, seconds=30, pause=0.2)
        answers: list[int] = []
        slow = threading.Thread(target=lambda: answers.append(get(compute, "/v2.1/images")[0]))
        slow.start()
        time.sleep(SLOW / 3)
        assert program.stop() == 0
        slow.join()
        assert answers == [200]
        program.told(b"STOPPING=1")
    with pytest.raises(OSError, match="refused"):
        get(compute, "/")
    assert " DEBUG " in program.log.read_text()


def test_a_file_that_cannot_be_read_changes_nothing(site: Site) -> None:
    site.write(workers=1)
    with running(site, str(BIN / "nova-api"), "--config-file", str(site.file)) as program:
        program.told(b"READY=1")
        site.file.write_text("[DEFAULT\n")
        program.process.send_signal(signal.SIGHUP)
        program.told(b"READY=1")
        assert get(site.ports["compute"], "/")[0] == 200
        assert program.stop() == 0
    assert "could not be read again, and stay as they were" in program.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_metadata_service_alone(site: Site, workers: int) -> None:
    site.write(workers=workers)
    with running(site, str(BIN / "nova-api-metadata"), "--config-file", str(site.file)) as program:
        program.told(b"READY=1")
        assert get(site.ports["metadata"], "/latest/meta-data/")[0] == 404
        with pytest.raises(OSError, match="refused"):
            get(site.ports["compute"], "/")
        assert program.stop() == 0


def test_placement_reads_its_policy_again(site: Site) -> None:
    site.write(workers=1)
    site.policy.write_text("{}\n")
    port = site.ports["placement"]
    words = (str(BIN / "placement-api"), "--config-file", str(site.file), "--host", "127.0.0.1", "--port", str(port))
    with running(site, *words) as program:
        program.told(b"READY=1")
        assert get(port, "/resource_providers")[0] == 200
        site.policy.write_text('"placement:resource_providers:list": "role:nobody"\n')
        program.process.send_signal(signal.SIGHUP)
        program.told(b"READY=1")
        until("the new policy", lambda: get(port, "/resource_providers")[0] == 403, seconds=10, pause=0.2)
        assert program.stop() == 0


SERVERS = {
    "uwsgi": ("uwsgi", "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "{file}", "--master", "--die-on-term"),
    "mod_wsgi-like": (sys.executable, str(ROOT / "tests/walk/wsgi_file.py"), "{file}", "{port}"),
}
FILES = {"nova-api-wsgi": "/", "nova-metadata-wsgi": "/openstack", "placement-api": "/"}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("server", SERVERS)
def test_other_servers_serve_the_same(site: Site, server: str, file: str) -> None:
    program, *words = SERVERS[server]
    found = BIN / program
    if server == "uwsgi" and not found.exists():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--retries", "0", "uwsgi"], check=False)
        if done.returncode:
            pytest.skip("uWSGI cannot be installed here")
    site.write(workers=1)
    (site.directory / "placement.conf").write_text(site.file.read_text())
    port = free_port()
    filled = [word.format(port=port, file=BIN / file) for word in words]
    extra = ["--enable-threads", "--need-app", "--virtualenv", str(BIN.parent)] if server == "uwsgi" else []
    where = {"OS_NOVA_CONFIG_DIR": str(site.directory), "OS_PLACEMENT_CONFIG_DIR": str(site.directory)}
    with running(site, str(found), *filled, *extra, **where) as running_server:

        def answered() -> bool:
            assert running_server.process.poll() is None, running_server.log.read_text()[-2000:]
            with contextlib.suppress(OSError):
                return get(port, FILES[file])[0] in {200, 404}
            return False

        until("an answer", answered, seconds=60, pause=0.3)
        running_server.stop()
