from pathlib import Path

import pytest

from kilonova.cli.placement_manage import main


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    file = tmp_path / "placement.conf"
    file.write_text(f"[placement_database]\nconnection = sqlite:///{tmp_path}/p.db\n")
    return ["--config-file", str(file)]


def test_sync_and_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "db", "version"]) == 0
    assert main([*arguments, "db", "sync"]) == 0
    assert main([*arguments, "db", "version"]) == 0
    assert capsys.readouterr().out.split() == ["None", "0001"]


def test_stamp(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "db", "stamp", "0001"]) == 0
    assert main([*arguments, "db", "version"]) == 0
    assert capsys.readouterr().out.split() == ["0001"]


@pytest.mark.parametrize(("count", "code"), [([], 0), (["--max-count", "5"], 0), (["--max-count", "0"], 127)])
def test_online_data_migrations(arguments: list[str], count: list[str], code: int) -> None:
    assert main([*arguments, "db", "online_data_migrations", *count]) == code


def test_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    assert main(["--config-file", str(empty), "db", "sync"]) == 1
    assert "connection" in capsys.readouterr().err


def test_import_refuses_what_is_no_placement_database(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"sqlite:///{tmp_path}/other.db"
    assert main([*arguments, "import", "--from", source]) == 1
    assert "no alembic_version" in capsys.readouterr().err
    assert main([*arguments, "import", "--from", source, "--batch", "0"]) == 127
