"""A libvirt of our own, beside whatever the machine runs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.host import hypervisor
from kilonova.cli.host.hypervisor import Libvirt
from kilonova.cli.host.processes import Processes

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

GUEST = """
<domain type='qemu'><name>kilonova-private-test</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><serial type='pty'><log file='{log}' append='off'/></serial></devices></domain>
"""


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path / "run", tmp_path / "log")


@pytest.fixture
def libvirt(tmp_path: Path, processes: Processes) -> Iterator[Libvirt]:
    if hypervisor.under_systemd():
        pytest.skip("systemd's libvirtd would be used")
    found = hypervisor.libvirt(tmp_path, processes, print)
    yield found
    hypervisor.stop(tmp_path, processes, print)


def virsh(uri: str, *words: str) -> str:
    return subprocess.run(["virsh", "-q", "-c", uri, *words], check=True, capture_output=True, text=True).stdout


def test_it_runs_guests_and_ends_with_them(libvirt: Libvirt, processes: Processes, tmp_path: Path) -> None:
    assert libvirt.private
    again = hypervisor.libvirt(tmp_path, processes, print)
    assert again == libvirt
    (tmp_path / "guest.xml").write_text(GUEST.format(log=tmp_path / "console"))
    virsh(libvirt.uri, "create", str(tmp_path / "guest.xml"))
    assert virsh(libvirt.uri, "list", "--name").split() == ["kilonova-private-test"]
    assert (tmp_path / "console").exists()
    pids = [p for p in Path("/proc").iterdir() if p.name.isdigit() and b"kilonova-private-test" in command_line(p)]
    assert pids

    processes.stop("libvirtd")
    hypervisor.stop(tmp_path, processes, print)
    assert processes.names() == []
    assert not [p for p in pids if p.exists()]


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_its_files_stay_in_the_state_directory(libvirt: Libvirt, tmp_path: Path) -> None:
    virsh(libvirt.uri, "pool-define-as", "kilonova-test", "dir", "--target", str(tmp_path / "pool"))
    assert (tmp_path / "libvirt/etc/storage/kilonova-test.xml").exists()
    assert not Path("/etc/libvirt/storage/kilonova-test.xml").exists()
