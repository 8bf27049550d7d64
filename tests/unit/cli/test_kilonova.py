from pathlib import Path

import pytest

from kilonova.cli import lab_claim
from kilonova.cli.kilonova import main


@pytest.mark.parametrize("offset", ["-1", "60000", "many"])
def test_offsets_out_of_range_are_refused(offset: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", "--port-offset", offset])
    assert "--port-offset" in capsys.readouterr().err


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"kilonova {command}" in text for command in ("up", "status", "down", "down --purge"))


def test_status_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--state", str(tmp_path)]) == 1
    assert "not running" in capsys.readouterr().out


def test_status_of_what_was_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab_claim.remember(tmp_path, {})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kilonova.pid").write_text("1 never the start of that process\n")
    assert main(["status", "--state", str(tmp_path)]) == 1
    assert "kilonova     not running" in capsys.readouterr().out
