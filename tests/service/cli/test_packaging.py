"""What is shipped for service managers agrees with the programs there are."""

import configparser
import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROGRAMS = {*PROJECT["project"]["scripts"], *(Path(p).name for p in PROJECT["tool"]["setuptools"]["script-files"])}
NEVER_ROOT = {"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "PrivateDevices": "yes"}


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names are case sensitive
    parser.read_string(path.read_text())
    return parser


def test_every_service_has_a_unit() -> None:
    assert {path.stem for path in UNITS} == {
        *("nova-api", "nova-api-metadata", "nova-scheduler", "nova-conductor", "nova-compute", "nova-novncproxy"),
        *("nova-spicehtml5proxy", "nova-serialproxy", "placement-api"),
    }


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_its_program_watched_and_confined(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["ExecStart"].split()[0] == path.stem
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == str(os.EX_CONFIG)
    assert int(service["WatchdogSec"]) >= 30
    assert int(service["TimeoutStopSec"]) > 180  # graceful_shutdown_timeout
    if path.stem == "nova-compute":
        assert service["KillMode"] == "process"
    else:
        assert {name: service[name] for name in NEVER_ROOT} == NEVER_ROOT
        assert service["User"] == ("placement" if path.stem == "placement-api" else "nova")


def test_what_is_started_is_installed() -> None:
    assert {path.stem for path in UNITS} <= PROGRAMS
    for name in PROJECT["tool"]["setuptools"]["script-files"]:
        compile((ROOT / name).read_text(), name, "exec")
