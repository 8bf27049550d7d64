"""The WSGI entry point below a server that only imports it, in two worker processes."""

import subprocess
from pathlib import Path

import requests
from tests.system.placement.conftest import PROGRAMS, configured, free_port, started, stopped


def test_a_wsgi_server_serves_it(tmp_path: Path) -> None:
    file = configured(tmp_path, mystery="1")
    subprocess.run([str(PROGRAMS / "placement-manage"), "--config-file", str(file), "db", "sync"], check=True)
    target = "kilonova.services.placement_wsgi:application"
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(free_port()), "--workers", "2"]
    command = (str(PROGRAMS / "granian"), *options, target)
    process, url = started(tmp_path, {"OS_PLACEMENT_CONFIG_DIR": str(tmp_path)}, *command)
    try:
        root = requests.get(url, timeout=10).json()
        assert root["versions"][0]["max_version"] == "1.39"
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39"}
        made = requests.post(f"{url}/resource_providers", json={"name": "one"}, headers=headers, timeout=10)
        assert made.status_code == 200
        assert requests.get(f"{url}/resource_providers", timeout=10).status_code == 401
    finally:
        stopped(process)
    assert "[placement_database] mystery is not known" in (tmp_path / "server.log").read_text()
