import socket
from typing import Any

import pytest

from kilonova.cli.doctor.consoles import look
from kilonova.cli.doctor.contract import Patient, Role
from kilonova.cli.upgrade_check import Result
from kilonova.kit.options import from_mapping


def found(role: Role = Role.CONTROLLER, **sections: dict[str, Any]) -> list[tuple[Result, str]]:
    patient = Patient(from_mapping(sections), role)
    return [(finding.result, finding.words + finding.fix) for finding in look(patient)]


def test_what_is_offered_answers_or_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/vnc_auto.html"
        ((good, _words),) = found(vnc={"novncproxy_base_url": url})
    assert good is Result.SUCCESS
    (silent, bad) = found(vnc={"novncproxy_base_url": url}, serial_console={"enabled": True, "base_url": "nonsense"})
    assert (silent[0], bad[0]) == (Result.WARNING, Result.WARNING)
    assert "nova-novncproxy" in silent[1]
    assert "[serial_console] base_url" in bad[1]


@pytest.mark.parametrize(("role", "enabled"), [(Role.COMPUTE, True), (Role.CONTROLLER, False)])
def test_what_is_not_offered_here_is_not_looked_at(role: Role, enabled: bool) -> None:
    assert found(role, vnc={"enabled": enabled}) == []
