"""A broker behind TLS that wants clients' certificates, as [oslo_messaging_rabbit] says."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment.stack import Stack
from tests.authority import Authority
from tests.contract.store.private_servers import free_port

from kilonova.kit.options import from_mapping
from kilonova.kit.rpc.contract import Address
from kilonova.kit.rpc.probe import probe
from kilonova.kit.rpc.rabbit import RabbitBus

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
SETTINGS = """
listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {cert}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


class Broker:
    """The broker's URL, and the files for its clients."""

    def __init__(self, url: str, files: dict[str, str]) -> None:
        self.url = url
        self.files = files

    def options(self, **names: str) -> Any:
        section = {"ssl": True, "kombu_reconnect_delay": 0.1, **{k: self.files[v] for k, v in names.items()}}
        return from_mapping({"oslo_messaging_rabbit": {**section, "amqp_auto_delete": True}})


@pytest.fixture(scope="module")
def broker(core: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """``core`` has installed the program, and keeps its own broker."""
    del core
    folder = tmp_path_factory.mktemp("broker")
    authority, port = Authority(folder), free_port()
    cert, key = authority.sign("server", "127.0.0.1")
    settings = folder / "rabbitmq.conf"
    settings.write_text(SETTINGS.format(port=port, ca=authority.ca, cert=cert, key=key))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "walk@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    with (folder / "output.log").open("w") as output:
        process = subprocess.Popen([SERVER], env=environ, stdout=output, stderr=output, start_new_session=True)
    cert, key = authority.sign("client")
    (folder / "other").mkdir()
    stranger = Authority(folder / "other").ca
    files = {"ca": str(authority.ca), "cert": str(cert), "key": str(key), "stranger": str(stranger)}
    made = Broker(f"rabbit://guest:guest@127.0.0.1:{port}/", files)
    try:
        _wait(made, process, folder)
        yield made
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        if (program := shutil.which("epmd")) is not None:
            subprocess.run([program, "-kill"], env=environ, check=False, capture_output=True)


def _wait(broker: Broker, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    mine = {"ssl_ca_file": "ca", "ssl_cert_file": "cert", "ssl_key_file": "key"}
    end = time.monotonic() + 90
    while probe(broker.options(**mine), broker.url, queue="q")[0].trouble:
        words = (folder / "output.log").read_text()[-2000:]
        assert time.monotonic() < end and process.poll() is None, words  # noqa: PT018  # both mean the same here
        time.sleep(0.5)


def call(configuration: Any, url: str) -> Any:
    bus = RabbitBus(configuration, url)
    try:
        bus.serve(Address("topic", "one"), {"echo": lambda payload: payload})
        return bus.call(Address("topic"), "echo", {"text": "Grüße"}, timeout=20)
    finally:
        bus.close()


def test_calls_go_through_tls(broker: Broker) -> None:
    configuration = broker.options(ssl_ca_file="ca", ssl_cert_file="cert", ssl_key_file="key")
    assert call(configuration, broker.url) == {"text": "Grüße"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"ssl_ca_file": "ca"}, "certificate required|EOF|reset"),
        ({"ssl_ca_file": "stranger", "ssl_cert_file": "cert", "ssl_key_file": "key"}, "certificate verify failed"),
    ],
)
def test_who_cannot_prove_itself_gets_no_connection(broker: Broker, names: dict[str, str], words: str) -> None:
    [answer] = probe(broker.options(**names), broker.url, queue="q")
    assert answer.trouble
    assert re.search(words, answer.words)
