"""Ports of Open vSwitch that outlived their guest."""

from pathlib import Path

import pytest

from kilonova.hypervisor.libvirt import taps
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml.tree import read

DOMAIN = """<domain type="kvm"><devices>
<interface type="bridge"><source bridge="br-int"/><virtualport type="openvswitch"/><target dev="tap1"/></interface>
<interface type="bridge"><source bridge="br0"/><target dev="tap2"/></interface>
<interface type="bridge"><source bridge="br-int"/><virtualport type="openvswitch"/><target dev="tap3"/></interface>
</devices></domain>"""


def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """An ``ovs-vsctl`` that writes down what it was told."""
    said = tmp_path / "said"
    script = tmp_path / "ovs-vsctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> {said}\necho no database >&2\nexit {code}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return said


def test_only_those_of_open_vswitch_are_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tool(tmp_path, monkeypatch)
    taps.remove_ports(())
    assert not said.exists()
    taps.remove_ports(taps.ports_of(read(xml.Domain, DOMAIN)))
    assert said.read_text() == "--no-wait --timeout=5 --if-exists del-port tap1 -- --if-exists del-port tap3\n"


def test_a_switch_that_does_not_answer_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tool(tmp_path, monkeypatch, 1)
    taps.remove_ports(["tap1"])
    assert "may keep ports (tap1): no database" in caplog.text


def test_a_host_without_open_vswitch_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    taps.remove_ports(["tap1"])
