from pathlib import Path

import pytest

from kilonova.kit.options import from_mapping
from kilonova.services.all_in_one import PORTS, LabOptions, main


def test_lab_options() -> None:
    options = from_mapping({"lab": {"port_offset": "100", "passwords": "admin:a,demo:b"}}).section(LabOptions)
    assert options.passwords == {"admin": "a", "demo": "b"}
    assert options.url(PORTS["identity"], "/v3") == "http://127.0.0.1:5100/v3"
    assert len({options.port(port) for port in PORTS.values()}) == len(PORTS)


def test_a_configuration_file_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--config-file" in capsys.readouterr().err
    assert main(["--config-file", str(tmp_path / "absent.conf")]) == 1
    assert "absent.conf" in capsys.readouterr().err
