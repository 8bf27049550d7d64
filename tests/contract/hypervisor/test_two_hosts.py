"""A guest that really moves between two libvirtd with disks of their own: cold and back, live, and called off."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.hypervisor.conftest import IMAGE, Libvirtd, Shelf, boot_sector, need_libvirt

from kilonova.domain.migration import Aborted
from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import Berth, CannotMove, GuestMissing, GuestSpec, ImageFacts, LivePlan, VolumeDisk
from kilonova.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.hypervisor.libvirt.images.transport import LocalTransport, Transport
from kilonova.hypervisor.libvirt.options import DriverOptions, GuestDisplayOptions, LibvirtOptions, StorageOptions
from kilonova.kit import codec

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]  # minutes on a busy machine: real guests move
TOKEN = "11111111-2222-4333-8444-555555555555"
UUID = "aaaaaaaa-2222-4333-8444-555555555555"


class Elsewhere(LocalTransport):
    """What the first host sees as its instances is the second's where the second has them."""

    def __init__(self, here: Path, there: Path) -> None:
        self._here = here
        self._there = there

    def _mapped(self, path: Path) -> Path:
        return self._there / path.relative_to(self._here)

    def folder(self, address: str, path: Path) -> None:
        super().folder(address, self._mapped(path))

    def has(self, address: str, path: Path) -> bool:
        return super().has(address, self._mapped(path))

    def push(self, source: Path, address: str, target: Path) -> None:
        super().push(source, address, self._mapped(target))

    def rename(self, address: str, source: Path, target: Path) -> None:
        super().rename(address, self._mapped(source), self._mapped(target))


class FirstDriver(LibvirtDriver):
    """Its disks go where ``there`` is."""

    there: Path

    def transport(self) -> Transport:
        return Elsewhere(self.options.instances, self.there)


@dataclass
class Pair:
    """Two hosts."""

    first: FirstDriver
    libvirtd: Libvirtd
    settings: Mapping[str, str]
    there: Path
    spec: GuestSpec

    def second(self, call: str, **arguments: Any) -> Any:
        """A call on the second host."""
        whole = [sys.executable, str(Path(__file__).with_name("second_host.py")), json.dumps(dict(self.settings))]
        enter = ["nsenter", "-t", self.libvirtd.pid, "-m", "-n"]
        done = subprocess.run(
            [*enter, *whole, call, json.dumps(codec.pack(arguments))],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def berth(self) -> Berth:
        return codec.unpack(self.second("berth", uuid=UUID, token=TOKEN), Berth)


def quiet(_text: str) -> None:
    """Nobody listens."""


def volume(path: Path) -> VolumeDisk:
    """A volume that a host has as the device ``path``."""
    connection = {"driver_volume_type": "local", "data": {"device_path": str(path)}}
    return VolumeDisk(volume_id="44444444-2222-4333-8444-555555555555", connection=connection, device_name="/dev/vdb")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Both hosts' directory, with a block device that each knows by another name."""
    need_libvirt()
    found, image = tmp_path / "state", tmp_path / "image"
    found.mkdir()
    image.write_bytes(bytes(1024**2))
    made = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip("needs a loop device")
    device = made.stdout.strip()
    for name in ("volume", "volume-there"):
        (found / name).symlink_to(device)
    yield found
    subprocess.run(["losetup", "-d", device], check=True)


@pytest.fixture
def pair(tmp_path: Path, state: Path, shelf: Shelf) -> Iterator[Pair]:
    there = tmp_path / "there"
    instances = state / "instances"
    for folder in (instances, there, tmp_path / "one", tmp_path / "two"):
        folder.mkdir(parents=True)
    one = Libvirtd(tmp_path / "one")
    try:
        one.wait((one.home / "uri").exists, "libvirtd did not start")
        disks = f"{there}:{instances}"
        two = Libvirtd(tmp_path / "two", PRIVATE_BESIDE=one.pid, PRIVATE_DISKS=disks, PRIVATE_PORT="16510")
        try:
            two.wait((two.home / "uri").exists, "libvirtd did not start")
            yield _pair(one, two, shelf, state, there)
        finally:
            two.stop()
    finally:
        one.stop()


def _pair(one: Libvirtd, two: Libvirtd, shelf: Shelf, state: Path, there: Path) -> Pair:
    limits = LibvirtOptions(
        virt_type="qemu",
        connection_uri=one.uri,
        tb_cache_size=16,
        live_migration_uri="qemu+tcp://%s:16510/system",
    )
    options = DriverOptions(
        host="host1",
        address="127.0.0.1",
        state_path=state,
        libvirt=limits,
        vnc=GuestDisplayOptions(),
        storage=StorageOptions(),
    )
    first = FirstDriver(options, shelf)
    first.there = there
    shelf.put(IMAGE, boot_sector())
    spec = GuestSpec(
        uuid=UUID,
        name="instance-moving",
        display_name="web",
        project_id="p1",
        user_id="u1",
        flavor_name="m1.nano",
        vcpus=1,
        memory_mb=32,
        root_gb=1,
        image=ImageFacts(id=IMAGE, disk_format="raw", size=512),
    )
    spec = replace(spec, volumes=(volume(state / "volume"),))
    first.create(spec, quiet)
    settings = {"uri": two.uri, "state": str(state), "shelf": str(shelf.folder)}
    return Pair(first, two, settings, there, spec)


def test_a_guest_moves_cold_and_grows_and_comes_back_and_moves_live(pair: Pair) -> None:
    first, spec = pair.first, pair.spec
    far = (volume(first.options.state_path / "volume-there"),)
    bigger = replace(spec, memory_mb=48, root_gb=2, volumes=far)
    # cold, reverted
    first.give(spec, pair.berth(), TOKEN, 0)
    assert pair.second("take", spec=bigger, token=TOKEN, power=True)["power"] == PowerState.RUNNING
    assert first.tool.info(pair.there / UUID / "disk", "qcow2").virtual_size == 2 * 1024**3
    pair.second("abandon", uuid=UUID, token=TOKEN)
    assert not (pair.there / UUID).exists()
    assert first.take_back(spec, TOKEN, power=True).power is PowerState.RUNNING
    # live, with its disks but not its volume
    berth = pair.berth()
    plan = first.check(spec, berth, block=None, over_commit=True)
    assert plan.block
    with pytest.raises(CannotMove, match="shared storage"):
        first.check(spec, berth, block=False, over_commit=True)
    spec = pair.spec = replace(spec, volumes=far)
    pair.second("prepare", spec=spec, token=TOKEN, plan=plan)
    _abort(pair, plan)
    told: list[Mapping[str, Any]] = []

    def report(counters: Mapping[str, Any]) -> Mapping[str, Any]:
        told.append(counters)
        return {"cancel": False, "force": False}

    first.send(spec, TOKEN, plan, report)
    assert any("memory_remaining" in counters for counters in told)  # a small guest is gone before there is more to say
    arrived = pair.second("arrived", spec=spec, token=TOKEN, plan=plan)
    assert arrived["power"] == PowerState.RUNNING
    programs = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(first.options.state_path / "volume-there") in programs
    first.leave(UUID, ())
    with pytest.raises(GuestMissing):
        first.state(UUID)
    assert not (first.options.instances / UUID).exists()
    assert (pair.there / UUID / "disk").exists()
    pair.second("destroy", uuid=UUID)
    assert not (pair.there / UUID).exists()


def _abort(pair: Pair, plan: LivePlan) -> None:
    """Called off: the guest runs on where it is."""
    with pytest.raises(Aborted):
        pair.first.send(pair.spec, TOKEN, plan, lambda _counters: {"cancel": True, "force": False})
    assert pair.first.state(UUID).power is PowerState.RUNNING
