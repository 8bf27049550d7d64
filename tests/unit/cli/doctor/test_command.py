"""What the command prints, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.doctor import arguments, command, registry
from kilonova.cli.doctor.contract import Finding, Patient, Role, broken
from kilonova.cli.kilonova import main
from kilonova.kit.errors import Unavailable
from kilonova.kit.options import from_mapping


@pytest.mark.parametrize(
    ("sections", "role"),
    [
        ({"DEFAULT": {"enabled_apis": "osapi_compute"}, "libvirt": {"virt_type": "kvm"}}, Role.CONTROLLER),
        ({"DEFAULT": {}, "api_database": {"connection": "x"}, "libvirt": {"virt_type": "kvm"}}, Role.COMPUTE),
        ({"DEFAULT": {"compute_driver": "x"}}, Role.COMPUTE),
        ({"DEFAULT": {"compute_driver": "x", "enabled_apis": "y"}}, Role.ALL),
        ({"lab": {"listen": "x"}}, Role.ALL),
        ({}, Role.CONTROLLER),
    ],
)
def test_role_by_the_look_of_the_file(sections: dict[str, dict[str, str]], role: Role) -> None:
    assert command.role_of(from_mapping(sections)) is role


def test_a_group_that_cannot_go_on_says_so_and_the_others_go_on() -> None:
    def stops(_patient: Patient) -> Iterator[Finding]:
        yield Finding("first")
        raise Unavailable("rabbit://u:secret@h/ is away")

    groups = {"one": stops, "two": lambda _patient: iter([broken("second", "no", "yes")])}
    found = list(command.examine(Patient(from_mapping({}), Role.ALL), groups))
    assert [(group, finding.name) for group, finding in found[1:]] == [
        ("one", "first"),
        ("one", "One"),
        ("two", "second"),
    ]
    assert found[2][1].words == "rabbit://u:***@h/ is away"


def test_json_and_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nova.conf"
    file.touch(0o600)
    file.write_text("[DEFAULT]\nenabled_apis = metadata\n")
    words = ["doctor", "--config-file", str(file), "--only", "certificates"]
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["result"] == "success"
    assert [check["group"] for check in document["checks"]] == ["configuration", "certificates"]
    assert main([*words, "--only", "databases"]) == 0
    capsys.readouterr()
    assert main([*words, "--only", "configuration"]) == 2
    assert "FAIL  configuration Options: [DEFAULT] transport_url is not set" in capsys.readouterr().out


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config-file", str(tmp_path / "none.conf")]) == 2
    assert "none.conf" in capsys.readouterr().out


def test_the_words_offer_what_there_is() -> None:
    assert tuple(registry.GROUPS) == arguments.NAMES
    assert tuple(Role) == arguments.ROLES
