"""Both drivers, each in a world of its own: ``world`` gives the driver, guests to make, and a restart."""

import base64
import os
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from kilonova.hypervisor.contracts import Driver, GuestSpec, ImageFacts
from kilonova.hypervisor.fake.driver import FakeDriver
from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.hypervisor.libvirt.options import (
    DriverOptions,
    GuestDisplayOptions,
    LibvirtOptions,
    StorageOptions,
)
from kilonova.kit.errors import NotFound

SCRIPT = Path(__file__).with_name("private-libvirtd")
IMAGE = "5f0c0b0e-0000-4000-8000-000000000001"
MESSAGE = b"guest is up\r\n\0"


def boot_sector() -> bytes:
    """A whole guest in 512 bytes: writes MESSAGE to the serial port and halts. It ignores the power button."""
    code = bytes.fromhex("31c0 8ed8 be007c ac 84c0 7406 baf803 ee ebf5 f4 ebfd")
    code = code.replace(b"\xbe\x00\x7c", b"\xbe" + struct.pack("<H", 0x7C00 + len(code)))
    return (code + MESSAGE).ljust(510, b"\0") + b"\x55\xaa"


@dataclass
class Shelf:
    """Images in a folder; what a driver uploads stays to be looked at."""

    folder: Path
    downloads: int = 0
    formats: dict[str, str] = field(default_factory=dict)

    def put(self, image_id: str, data: bytes) -> None:
        (self.folder / image_id).write_bytes(data)

    def path(self, image_id: str) -> Path:
        return self.folder / image_id

    def download(self, image_id: str, target: Path) -> None:
        self.downloads += 1
        if not self.path(image_id).exists():
            raise NotFound(f"no image {image_id}")
        shutil.copyfile(self.path(image_id), target)

    def upload(self, image_id: str, source: Path, disk_format: str) -> None:
        shutil.copyfile(source, self.path(image_id))
        self.formats[image_id] = disk_format


@dataclass
class World:
    """A host with one driver on it."""

    driver: Driver
    shelf: Shelf
    again: Callable[[], Driver]
    """The driver as a newly started process has it."""
    folder: Path

    def spec(self, **changes: Any) -> GuestSpec:
        """A small guest; each call makes another one."""
        made = str(uuid.uuid4())
        plain = GuestSpec(
            uuid=made,
            name=f"instance-{made[:8]}",
            display_name="web <1> & co",
            project_id="p1",
            user_id="u1",
            flavor_name="m1.nano",
            vcpus=1,
            memory_mb=32,
            root_gb=1,
            image=ImageFacts(id=IMAGE, disk_format="raw", size=512),
            config_drive={"openstack/latest/meta_data.json": base64.b64encode(b"{}").decode()},
        )
        return replace(plain, **changes)

    def restart(self) -> None:
        """As if the agent's process was killed and started again."""
        self.driver.close()
        self.driver = self.again()


class Libvirtd:
    """The private libvirtd of a test run."""

    def __init__(self, home: Path, **settings: str) -> None:
        """``settings``: see the script."""
        self.home = home
        environment = {**os.environ, **settings}
        self._process = subprocess.Popen([SCRIPT, home], stdin=subprocess.DEVNULL, env=environment)

    @property
    def pid(self) -> str:
        """Of a process in its namespaces."""
        return Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]

    @property
    def uri(self) -> str:
        return (self.home / "uri").read_text().strip()

    def wait(self, ready: Callable[[], bool], what: str) -> None:
        for _ in range(300):
            if ready():
                return
            assert self._process.poll() is None, f"libvirtd ended; see {self.home}/libvirtd.log"
            time.sleep(0.1)
        raise AssertionError(f"{what}; see {self.home}/libvirtd.log")

    def restart(self) -> None:
        (self.home / "restart").touch()
        self.wait(lambda: not (self.home / "restart").exists(), "libvirtd did not come back")

    def inside(self, *command: str) -> str:
        """Run a command in its namespaces."""
        enter = ["nsenter", "-t", self.pid, "-m", "-n", "-p", *command]
        return subprocess.run(enter, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def need_libvirt() -> None:
    """Skip where no libvirtd of our own can be."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for program in ("libvirtd", "qemu-system-x86_64", "qemu-img"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"needs {program}")


@pytest.fixture(scope="session")
def libvirtd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libvirtd]:
    need_libvirt()
    daemon = Libvirtd(tmp_path_factory.mktemp("libvirtd"))
    try:
        daemon.wait((daemon.home / "uri").exists, "libvirtd did not start")
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    made = Shelf(folder)
    made.put(IMAGE, boot_sector())
    return made


@pytest.fixture
def libvirt_world(libvirtd: Libvirtd, shelf: Shelf, tmp_path: Path) -> Iterator[World]:
    options = DriverOptions(
        host="host1",
        address="127.0.0.1",
        state_path=tmp_path / "state",
        libvirt=LibvirtOptions(virt_type="qemu", connection_uri=libvirtd.uri, tb_cache_size=16),
        vnc=GuestDisplayOptions(),
        storage=StorageOptions(),
    )

    def begin() -> Driver:
        return LibvirtDriver(options, shelf)

    world = World(begin(), shelf, begin, tmp_path / "state" / "instances")
    yield world
    for guest in world.driver.guests():
        world.driver.destroy(guest.uuid)
    world.driver.close()


@pytest.fixture
def fake_world(shelf: Shelf, tmp_path: Path) -> Iterator[World]:
    options = FakeOptions(state_path=str(tmp_path / "guests.jsonl"))

    def begin() -> Driver:
        return FakeDriver(options, "host1", images=shelf)

    world = World(begin(), shelf, begin, tmp_path)
    yield world
    world.driver.close()


@pytest.fixture(params=["fake", pytest.param("libvirt", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made
