"""Separate processes with MariaDB, RabbitMQ, memcached, real Keystone and Glance, used by the stock command line."""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment.client import Client, until
from deployment.services import Deployment

from kilonova.kit.monitoring import PORTS

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
Ask = Callable[..., Any]
PROGRAM = str(Path(sys.executable).parent / "openstack")

IMAGE = f"separate-{secrets.token_hex(4)}"
"""The companion Glance outlives a run: one that was broken off may have left its image behind."""


@pytest.fixture(scope="module")
def openstack(deployment: Deployment) -> Ask:
    """The stock client as an administrator; its parsed JSON."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OS_")} | deployment.stack.login()

    def ask(*words: str, version: str = "2.90", fails: bool = False) -> Any:
        command = [PROGRAM, "--os-compute-api-version", version, *words]
        shown = [] if words[-2:-1] == ("delete",) or "set" in words else ["-f", "json"]
        done = subprocess.run(
            [*command, *shown], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if fails:
            assert done.returncode, done.stdout
            return done.stderr
        assert done.returncode == 0, done.stderr + deployment.log("api") + deployment.log("conductor")
        return json.loads(done.stdout) if shown else done.stdout

    return ask


@pytest.fixture(scope="module")
def ground(openstack: Ask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An image in the real Glance, a flavor, a compute node that Placement knows."""
    data = tmp_path_factory.mktemp("image") / "disk.raw"
    data.write_bytes(b"\0" * 65536)
    words = ("--disk-format", "raw", "--container-format", "bare", "--file", str(data))
    image = openstack("image", "create", *words, IMAGE)["id"]
    openstack("flavor", "create", "--id", "separate", "--vcpus", "1", "--ram", "64", "--disk", "1", "separate")
    until("a compute node", lambda: openstack("hypervisor", "list"), pause=1)
    yield
    openstack("image", "delete", image)


def status(openstack: Ask, name: str) -> str:
    found = openstack("server", "show", name)
    assert found["status"] != "ERROR", found["fault"]
    return str(found["status"])


def boot(openstack: Ask, name: str) -> dict[str, Any]:
    made = openstack("server", "create", "--image", IMAGE, "--flavor", "separate", "--nic", "none", name)
    until(name, lambda: status(openstack, name) == "ACTIVE", pause=0.5)
    return dict(made)


def test_services_report_themselves_each_once(openstack: Ask, ground: None) -> None:
    found = {row["Binary"]: row["State"] for row in openstack("compute", "service", "list")}
    assert found == {"nova-conductor": "up", "nova-scheduler": "up", "nova-compute": "up"}


def test_a_server_is_created_listed_shown_and_deleted(openstack: Ask, ground: None) -> None:
    made = boot(openstack, "separate1")
    assert [row["Name"] for row in openstack("server", "list") if row["Status"] == "ACTIVE"] == ["separate1"]
    shown = openstack("server", "show", "separate1")
    assert shown["id"] == made["id"]
    assert shown["OS-EXT-SRV-ATTR:host"]
    openstack("server", "delete", made["id"])
    until("gone", lambda: not openstack("server", "list"), pause=0.5)


def test_an_unknown_token_is_refused(openstack: Ask, deployment: Deployment) -> None:
    with contextlib.closing(Client("http://127.0.0.1:8774/v2.1", "nonsense")) as client:
        assert client.ask("GET", "/servers")[0] == 401


def test_work_goes_on_when_the_conductor_is_replaced(openstack: Ask, ground: None, deployment: Deployment) -> None:
    """Both runners are gone while a server is accepted; one comes back and builds it."""
    codes = deployment.stop("conductor", "scheduler")
    made = openstack("server", "create", "--image", IMAGE, "--flavor", "separate", "--nic", "none", "separate2")
    assert status(openstack, "separate2") == "BUILD"
    deployment.start("conductor", "scheduler")
    until("separate2", lambda: status(openstack, "separate2") == "ACTIVE", pause=0.5)
    openstack("server", "delete", made["id"])
    until("gone", lambda: not openstack("server", "list"), pause=0.5)
    assert codes == {"conductor": 0, "scheduler": 0}


def test_the_compute_service_opens_no_database(deployment: Deployment) -> None:
    pid = deployment.pids()["compute"]
    loaded = Path(f"/proc/{pid}/maps").read_text()
    assert "sqlalchemy" not in loaded
    inodes = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    peers = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    mine = [row[2] for row in peers if f"socket:[{row[9]}]" in inodes]
    assert not [peer for peer in mine if peer.endswith(f":{13306:04X}")]


def test_one_grep_finds_a_request_in_every_service(openstack: Ask, ground: None, deployment: Deployment) -> None:
    made = boot(openstack, "separate3")
    [request] = {row["Request ID"] for row in openstack("server", "event", "list", made["id"])}
    openstack("server", "delete", made["id"])
    found = {name for name in deployment.running if request in deployment.log(name)}
    assert {"api", "placement", "compute"} <= found
    assert found & {"conductor", "scheduler"}
    told = [line for name in ("conductor", "scheduler") for line in deployment.log(name).splitlines()]
    assert any(request in line and f"[instance: {made['id']}] [operation: " in line for line in told)


def test_no_log_has_a_secret_of_the_configuration(deployment: Deployment) -> None:
    text = deployment.configuration.read_text()
    secrets_of_it = set(re.findall(r"^(?:password|metadata_proxy_shared_secret) *= *(\S+)$", text, re.MULTILINE))
    secrets_of_it |= set(re.findall(r"://[^:/@\s]+:([^@\s]+)@", text))
    assert len(secrets_of_it) > 2
    assert [(n, one) for n in deployment.running for one in secrets_of_it if one in deployment.log(n)] == []


def told(program: str, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[program]}{path}", timeout=10) as reply:
        return str(reply.read().decode())


def test_every_process_tells_numbers_and_health(openstack: Ask, ground: None, deployment: Deployment) -> None:
    programs = {name: f"nova-{name}" for name in deployment.running} | {"placement": "placement-api"}
    for name in deployment.running:
        assert json.loads(told(programs[name], "/healthz"))["healthy"]
        ready = json.loads(told(programs[name], "/readyz"))
        assert ready["ready"], ready
    server = boot(openstack, "separate4")["id"]
    openstack("server", "delete", server)
    until("gone", lambda: not openstack("server", "list"), pause=0.5)
    counts = {
        "nova-api": r'kilonova_http_request_seconds_count\{code="202",method="POST",route="/servers".*\} ([0-9.]+)',
        "placement-api": r'kilonova_http_request_seconds_count\{code="204",method="PUT",route="/alloc.*\} ([0-9.]+)',
        "nova-compute": r'kilonova_host_resources\{kind="total".*resource="vcpus"\} ([0-9.]+)',
    }
    for program, pattern in counts.items():
        [found] = re.findall(pattern, told(program, "/metrics"))
        assert float(found) >= 1
    ended = re.compile(r'kilonova_operation_seconds_count\{outcome="done",verb="create"\} ([0-9.]+)')
    runners = ("nova-conductor", "nova-scheduler")
    assert sum(float(n) for program in runners for n in ended.findall(told(program, "/metrics"))) >= 1


def test_the_doctor_finds_what_is_wrong_and_nothing_else(deployment: Deployment) -> None:
    words = [sys.executable, "-m", "kilonova.cli.kilonova", "doctor", "--json", "--role", "controller"]
    done = subprocess.run(
        [*words, "--config-file", str(deployment.configuration)], capture_output=True, text=True, check=False
    )
    checks = json.loads(done.stdout)["checks"]
    wrong = {check["name"]: check["result"] for check in checks if check["result"] != "success"}
    # Neighbours are there or not as the companion services were started; nobody mapped the hosts or started a proxy.
    assert wrong.pop("Consoles") == "warning"
    assert wrong.keys() <= {"Neutron", "Cinder", "Cells"}, wrong
    groups = {check["group"] for check in checks}
    assert groups == {"configuration", "databases", "broker", "neighbours", "host", "clock", "certificates", "consoles"}


def test_every_process_reloads(deployment: Deployment, openstack: Ask) -> None:
    for name in deployment.running:
        deployment.running[name].send_signal(signal.SIGHUP)
    for name in ("conductor", "scheduler", "compute"):
        until(f"{name} to read again", lambda: "Read again: logs" in deployment.log(name))  # noqa: B023  # at once
    until("the API", lambda: openstack("flavor", "list"))
    assert [name for name, process in deployment.running.items() if process.poll() is not None] == []


def test_every_process_stops_cleanly(deployment: Deployment, openstack: Ask) -> None:
    begun = time.monotonic()
    codes = deployment.stop()
    assert {name: deployment.log(name)[-20000:] for name, code in codes.items() if code} == {}
    assert time.monotonic() - begun < 20
    deployment.start()
    assert openstack("flavor", "list")
