from pathlib import Path

import falcon.testing
import pytest

from kilonova.cli.placement_manage import main as manage
from kilonova.services.placement_api import application, configuration_files, main

pytestmark = pytest.mark.usefixtures("root_logger")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "placement.conf").write_text(
        f"[placement_database]\nconnection = sqlite:///{tmp_path}/p.db\n[api]\nauth_strategy = noauth2\n"
    )
    monkeypatch.setenv("OS_PLACEMENT_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_application_reads_the_named_folder(folder: Path) -> None:
    assert configuration_files() == [str(folder / "placement.conf")]
    assert manage(["db", "sync"]) == 0
    client = falcon.testing.TestClient(application())
    assert client.simulate_get("/resource_providers", headers={"X-Auth-Token": "admin"}).json == {
        "resource_providers": []
    }
    assert client.simulate_get("/resource_providers").status_code == 401


def test_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    assert main(["--config-file", str(empty)]) == 1
    assert "connection" in capsys.readouterr().err
