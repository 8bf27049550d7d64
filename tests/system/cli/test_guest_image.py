"""The guest image is built from this machine's packages and booted by plain QEMU, emulated."""

import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pycdlib
import pytest

from kilonova.cli import guest_image

pytestmark = pytest.mark.system

META = {"uuid": "0c1b2c3d-1111-2222-3333-444455556666", "hostname": "web1.novalocal"}
USER_DATA = b"#!/bin/sh\necho HELLO FROM $(hostname)\n"
METADATA_SERVER = """#!{python}
import sys
path = sys.stdin.buffer.readline().split()[1].decode()
while sys.stdin.buffer.readline().strip():
    pass
pages = {{"meta_data.json": {meta!r}.encode(), "user_data": {user_data!r}}}
page = pages.get(path.rpartition("/openstack/latest/")[2])
head = "HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n"
status = "200 OK" if page is not None else "404 Not Found"
sys.stdout.buffer.write((head % (status, len(page or b""))).encode() + (page or b""))
"""
"""Answers one request on its standard input and output: QEMU starts it for each connection of the guest."""
SECONDS = 90


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guest")


@pytest.fixture(scope="module")
def image(workdir: Path) -> Path:
    return guest_image.build(workdir / "tinyguest.qcow2", workdir / "work", print)


def config_drive(target: Path) -> Path:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident="config-2", joliet=3, rock_ridge="1.09")
    for path in ("/openstack", "/openstack/latest"):
        iso.add_directory(path.upper(), rr_name=path.rpartition("/")[2], joliet_path=path)
    for number, (name, data) in enumerate((("meta_data.json", json.dumps(META).encode()), ("user_data", USER_DATA))):
        place = f"/openstack/latest/{name}"
        iso.add_fp(io.BytesIO(data), len(data), f"/OPENSTACK/LATEST/{number}.;1", rr_name=name, joliet_path=place)
    iso.write(str(target))
    iso.close()
    return target


class Machine:
    """A QEMU of our own, its serial port in a file and its monitor on a socket."""

    def __init__(self, folder: Path, image: Path, *extra: str, network: str = "") -> None:
        self.console = folder / "console"
        self.monitor = folder / "mon"
        command = [
            "qemu-system-x86_64",
            "-accel",
            "tcg",
            "-machine",
            "pc",
            "-m",
            "128",
            "-display",
            "none",
            "-snapshot",
        ]
        command += ["-drive", f"file={image},if=virtio,format=qcow2", "-serial", f"file:{self.console}"]
        # A network of QEMU's own with DHCP; restricted, so that nothing leaves this machine.
        command += [
            "-nic",
            f"user,model=virtio-net-pci,restrict=on{network}",
            "-monitor",
            f"unix:{self.monitor},server,nowait",
        ]
        self.process = subprocess.Popen([*command, *extra])

    def line(self, words: str) -> str:
        """The console's first whole line with ``words``, waited for."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            text = self.console.read_text(errors="replace") if self.console.exists() else ""
            for line in text.splitlines(keepends=True):
                if words in line and line.endswith("\n"):
                    return line.strip()
            time.sleep(0.2)
        raise AssertionError(f"no {words!r} on the console: {self.console.read_text(errors='replace')[-2000:]}")

    def press_power(self) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.monitor))
            monitor.sendall(b"system_powerdown\n")
            monitor.recv(4096)
            self.process.wait(SECONDS)


@pytest.fixture
def machine(image: Path, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, image, "-cdrom", str(config_drive(tmp_path / "config.iso")))
    yield made
    made.process.kill()
    made.process.wait()


def test_it_is_not_built_again_without_a_reason(image: Path, workdir: Path) -> None:
    before = image.stat().st_mtime_ns
    said: list[str] = []
    assert guest_image.build(image, workdir / "work", said.append) == image
    assert image.stat().st_mtime_ns == before
    assert "already" in said[-1]


def test_a_damaged_image_is_built_again(workdir: Path, image: Path) -> None:
    copy = workdir / "copy.qcow2"
    copy.write_bytes(image.read_bytes()[:1000])
    guest_image.build(copy, workdir / "work", print)
    assert copy.stat().st_size == image.stat().st_size


def test_the_guest_gets_its_address_name_and_user_data_and_turns_off_by_its_button(machine: Machine) -> None:
    ready = machine.line("GUEST READY")
    assert "hostname=web1 " in ready
    assert "ip=10.0.2.15 " in ready
    assert "source=config-drive " in ready
    assert f"uuid={META['uuid']}" in ready
    assert "disks=vda" in ready
    machine.line("HELLO FROM web1")
    machine.line("GUEST USERDATA exit=0")
    machine.press_power()
    assert machine.process.returncode == 0


def test_without_a_config_drive_the_metadata_service_is_asked(image: Path, tmp_path: Path) -> None:
    server = tmp_path / "metadata"
    server.write_text(METADATA_SERVER.format(python=sys.executable, meta=json.dumps(META), user_data=USER_DATA))
    server.chmod(0o755)
    network = f",net=169.254.169.0/24,guestfwd=tcp:169.254.169.254:80-cmd:{server}"
    machine = Machine(tmp_path, image, network=network)
    try:
        ready = machine.line("GUEST READY")
        assert "hostname=web1 " in ready
        assert "source=metadata " in ready
        machine.line("HELLO FROM web1")
    finally:
        machine.process.kill()
        machine.process.wait()


def test_without_network_or_drive_it_gets_ready_all_the_same(image: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path, image, "-nodefaults", network=",model=ne2k_pci")
    try:
        assert "ip=none source=none" in machine.line("GUEST READY")
    finally:
        machine.process.kill()
        machine.process.wait()
