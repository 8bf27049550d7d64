"""`nova-status upgrade check`, and the hosts that schedulers map by themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.cloud import PLACEMENT_URL, Cloud, running

from kilonova.cli import status
from kilonova.cli.manage import main as manage
from kilonova.cli.manage.deployment import Deployment
from kilonova.kit.options import Configuration
from kilonova.kit.sessions import Sessions
from kilonova.services.scheduler import discover
from kilonova.store import host_mappings

NAMES = [
    *("Cells v2", "Placement API", "Cinder API", "Policy File JSON to YAML Migration", "Older than N-1 computes"),
    *("hw_machine_type unset", "Service User Token Configuration"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as found:
        yield found


def check(cloud: Cloud, *, placement: Any = None, **sections: str) -> int:
    file = cloud.directory / "nova.conf"
    written = {
        "DEFAULT": "transport_url = rabbit://u:p@broker/",
        "api_database": f"connection = sqlite:///{cloud.directory}/api.sqlite",
        "database": f"connection = sqlite:///{cloud.directory}/cell1.sqlite",
        "placement": f"auth_type = none\nendpoint_override = {PLACEMENT_URL}",
        **sections,
    }
    file.write_text("".join(f"[{name}]\n{text}\n" for name, text in written.items()))

    def made(configuration: Configuration) -> Deployment:
        found = Deployment(configuration)
        found.__dict__["sessions"] = Sessions(configuration, {PLACEMENT_URL: placement or cloud._as_admin})
        return found

    manage(["--config-file", str(file), "cell_v2", "map_cell0"])
    manage(["--config-file", str(file), "db", "sync"])
    return status.main(["--config-file", str(file), "upgrade", "check"], make=made)


def results(text: str) -> dict[str, str]:
    lines = [line.strip("| ") for line in text.splitlines() if line.startswith("|")]
    return dict(
        zip(
            [w[7:] for w in lines if w.startswith("Check: ")],
            [w[8:] for w in lines if w.startswith("Result: ")],
            strict=True,
        )
    )


def test_upgrade_check(cloud: Cloud, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check(cloud) == 2
    found = results(capsys.readouterr().out)
    assert list(found) == NAMES
    assert found["Cells v2"] == "Failure"  # a host that is not mapped
    assert found["Cinder API"] == "Success"  # there is none
    discover(cloud.store)
    discover(cloud.store)
    with cloud.store.api.read() as api:
        assert list(host_mappings.all_hosts(api)) == ["host1"]
    assert check(cloud) == 1
    found = results(capsys.readouterr().out)
    assert {name for name, result in found.items() if result != "Success"} == {"Service User Token Configuration"}
    user = "send_service_user_token = true\nauth_type = password\nauth_url = http://k.test\nusername = nova"
    assert check(cloud, service_user=f"{user}\npassword = x\nuser_domain_id = default") == 2
    found = results(capsys.readouterr().out)
    assert {name for name, result in found.items() if result != "Success"} == {"Cinder API"}  # its identity service
    cloud.flavor()
    cloud.boot()
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    capsys.readouterr()
    assert check(cloud, oslo_policy=f"policy_file = {policy}", placement=_too_old) == 2
    found = results(capsys.readouterr().out)
    assert found["Policy File JSON to YAML Migration"] == found["Placement API"] == "Failure"
    assert found["hw_machine_type unset"] == "Warning"


def _too_old(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("406 Not Acceptable", [("Content-Type", "application/json")])
    return [b'{"errors": [{"status": 406, "title": "Not Acceptable", "detail": "Unacceptable version header: 1.36"}]}']


def test_checks_that_cannot_be_made_are_255(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nova.conf"
    file.write_text("")
    assert status.main(["--config-file", str(file), "upgrade", "check"]) == 255
    assert capsys.readouterr().err == "nova-status: [api_database] connection is not set\n"
