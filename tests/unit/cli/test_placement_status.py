from pathlib import Path

import pytest
import sqlalchemy as sa

from kilonova.cli.placement_manage import main as manage
from kilonova.cli.placement_status import main


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    file = tmp_path / "placement.conf"
    lines = ["[placement_database]", f"connection = sqlite:///{tmp_path}/p.db", "[oslo_policy]"]
    file.write_text("\n".join([*lines, f"policy_file = {tmp_path}/policy.yaml", ""]))
    return ["--config-file", str(file)]


def results(out: str) -> list[str]:
    return [line.split()[2] for line in out.splitlines() if "Result:" in line]


def test_fine(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert manage([*arguments, "db", "sync"]) == 0
    assert main([*arguments, "upgrade", "check"]) == 0
    assert results(capsys.readouterr().out) == ["Success"] * 4


def test_schema_is_missing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "upgrade", "check"]) == 2
    assert results(capsys.readouterr().out) == ["Failure", "Success"]


def test_data_and_policy_file(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manage([*arguments, "db", "sync"])
    (tmp_path / "policy.yaml").write_text('{"admin_api": "role:admin"}')
    engine = sa.create_engine(f"sqlite:///{tmp_path}/p.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO resource_providers (uuid, name, generation, trait_list, updated_at)"
            " VALUES ('u', 'n', 0, '[]', '2026-01-01 00:00:00')"
        )
    engine.dispose()
    assert main([*arguments, "upgrade", "check"]) == 2
    assert results(capsys.readouterr().out) == ["Success", "Failure", "Success", "Failure"]


def test_without_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.conf").write_text("")
    assert main(["--config-file", str(tmp_path / "empty.conf"), "upgrade", "check"]) == 255
    assert "connection" in capsys.readouterr().err
