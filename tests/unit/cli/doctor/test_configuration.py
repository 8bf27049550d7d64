"""What is said about a nova.conf before anything else is asked."""

from pathlib import Path

import pytest

from kilonova.cli.doctor import configuration
from kilonova.cli.doctor.contract import Patient, Role
from kilonova.cli.upgrade_check import Result
from kilonova.kit.options import load

WHOLE = {
    "DEFAULT": {
        "transport_url": "rabbit://u:p@127.0.0.1/",
        "my_ip": "127.0.0.1",
        "enabled_apis": "osapi_compute",
        "compute_driver": "libvirt.LibvirtDriver",
    },
    "api_database": {"connection": "sqlite:////a"},
    "database": {"connection": "sqlite:////b"},
    "keystone_authtoken": {"auth_type": "password", "password": "secret"},
    "vnc": {"server_proxyclient_address": "$my_ip"},
    "neutron": {"service_metadata_proxy": "true", "metadata_proxy_shared_secret": "x"},
}


def patient(folder: Path, role: Role = Role.ALL, **changed: dict[str, str | None]) -> Patient:
    sections = {name: {**WHOLE.get(name, {}), **changed.get(name, {})} for name in {**WHOLE, **changed}}
    file = folder / "nova.conf"
    file.touch(0o640)
    file.write_text(
        "\n".join(
            f"[{name}]\n" + "\n".join(f"{k} = {v}" for k, v in options.items() if v is not None)
            for name, options in sections.items()
        )
    )
    return Patient(load("test", ["--config-file", str(file)]), role)


def wrong(sick: Patient) -> list[tuple[Result, str, str]]:
    return [(f.result, f.words, f.fix) for f in configuration.look(sick) if f.result]


def test_a_whole_file_is_well(tmp_path: Path) -> None:
    assert wrong(patient(tmp_path)) == []


@pytest.mark.parametrize(
    ("changed", "result", "words", "fix"),
    [
        ({"DEFAULT": {"transport_url": None}}, Result.FAILURE, "[DEFAULT] transport_url is not set", "rabbit://USER"),
        ({"DEFAULT": {"colour": "red"}}, Result.WARNING, "[DEFAULT] colour is not known", "correct its name"),
        ({"DEFAULT": {"use_neutron": "true"}}, Result.WARNING, "[DEFAULT] use_neutron is of an older", "remove it"),
        ({"DEFAULT": {"report_interval": "soon"}}, Result.FAILURE, "[DEFAULT] report_interval", "correct this option"),
        ({"DEFAULT": {"report_interval": "60"}}, Result.FAILURE, "report every 60 s", "service_down_time to 360"),
        ({"DEFAULT": {"my_ip": "192.0.2.1"}}, Result.FAILURE, "192.0.2.1 is no address of this machine", "my_ip"),
        ({"DEFAULT": {"ssl_only": "true", "cert": "/none.pem"}}, Result.FAILURE, "/none.pem is not there", "cert"),
        ({"database": {"connection": "sqlite:////a"}}, Result.FAILURE, "name the same database", "nova_api and nova"),
        ({"keystone_authtoken": {"auth_type": None}}, Result.FAILURE, "does not say how to log in", "auth_type"),
        ({"neutron": {"metadata_proxy_shared_secret": None}}, Result.FAILURE, "without metadata_proxy", "Neutron's"),
        ({"api": {"auth_strategy": "noauth2"}}, Result.WARNING, "anybody is an administrator", "keystone"),
    ],
)
def test_what_is_wrong_has_a_name_and_a_fix(
    tmp_path: Path, changed: dict[str, dict[str, str | None]], result: Result, words: str, fix: str
) -> None:
    [found] = wrong(patient(tmp_path, Role.ALL, **changed))
    assert found[0] is result
    assert words in found[1]
    assert fix in found[2]


def test_passwords_that_everybody_may_read(tmp_path: Path) -> None:
    sick = patient(tmp_path)
    (tmp_path / "nova.conf").chmod(0o644)
    [found] = wrong(sick)
    assert found[2] == f"chmod o-r {tmp_path}/nova.conf"


def test_a_compute_host_needs_no_database_and_no_neutron(tmp_path: Path) -> None:
    without: dict[str, dict[str, str | None]] = {
        "api_database": {"connection": None},
        "database": {"connection": None},
        "keystone_authtoken": {"auth_type": None},
    }
    assert wrong(patient(tmp_path, Role.COMPUTE, **without)) == []


def test_consoles_that_no_other_machine_reaches(tmp_path: Path) -> None:
    # An address that can be bound, and is not loopback.
    sick = patient(tmp_path, DEFAULT={"my_ip": "0.0.0.0"}, vnc={"server_proxyclient_address": "127.0.0.1"})
    [found] = wrong(sick)
    assert "server_proxyclient_address = 127.0.0.1" in found[1]
