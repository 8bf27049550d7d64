"""The shipped guest image on the libvirt driver: a real kernel that answers its power button."""

import base64
import os
import time
import uuid
from pathlib import Path
from typing import Any, Protocol

import pytest

from kilonova.cli.guest_image import READY, build
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import GuestSpec, ImageFacts
from kilonova.hypervisor.libvirt.driver import LibvirtDriver

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


class Shelf(Protocol):
    def put(self, image_id: str, data: bytes) -> None: ...


class World(Protocol):
    driver: LibvirtDriver
    shelf: Shelf

    def spec(self, **changes: Any) -> GuestSpec: ...


def quiet(_text: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="session")
def guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``KILONOVA_TEST_GUEST`` names an image built earlier; else it is built, which downloads a kernel package."""
    ready = os.environ.get("KILONOVA_TEST_GUEST")
    if ready:
        return Path(ready)
    folder = tmp_path_factory.mktemp("guest")
    return build(folder / "tinyguest.qcow2", folder / "work", quiet)


def ready_lines(world: World, spec: GuestSpec, count: int) -> list[str]:
    """Wait until the guest has said it is ready ``count`` times."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        lines = world.driver.output(spec.uuid, 1_000_000).decode(errors="replace").splitlines()
        found = [line for line in lines if READY in line]
        if len(found) >= count:
            return found
        time.sleep(0.5)
    pytest.fail("the guest was never ready:\n" + world.driver.output(spec.uuid, 3000).decode(errors="replace"))


def test_a_real_guest_lives_its_life(libvirt_world: World, guest_image: Path) -> None:
    driver, image_id = libvirt_world.driver, str(uuid.uuid4())
    data = guest_image.read_bytes()
    libvirt_world.shelf.put(image_id, data)
    meta = b'{"uuid": "UUID", "hostname": "web1", "name": "web1"}'
    spec = libvirt_world.spec(
        memory_mb=128,
        image=ImageFacts(id=image_id, disk_format="qcow2", size=len(data)),
        config_drive={"openstack/latest/meta_data.json": base64.b64encode(meta).decode()},
    )
    driver.create(spec, quiet)
    (line,) = ready_lines(libvirt_world, spec, 1)
    assert "hostname=web1" in line
    assert "source=config-drive" in line

    began = time.monotonic()
    assert driver.stop(spec.uuid, 60).power is PowerState.SHUTDOWN
    assert time.monotonic() - began < 55, "the guest did not heed its power button"

    driver.start(spec)
    ready_lines(libvirt_world, spec, 2)
    driver.suspend(spec.uuid)
    driver.resume(spec)
    driver.reboot(spec, hard=False, timeout=60)
    ready_lines(libvirt_world, spec, 3)
