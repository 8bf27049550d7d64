"""What every driver does, whatever it is made of."""

import subprocess
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    Console,
    Devices,
    Driver,
    GuestBusy,
    GuestMissing,
    Guests,
    GuestSpec,
    Host,
    ImageCaching,
    ImageFacts,
    Inside,
    InvalidImage,
    Nic,
    Power,
    Rescue,
    Snapshots,
    VolumeDisk,
    VolumeSnapshots,
)
from kilonova.kit.errors import Unsupported


class World(Protocol):
    driver: Driver
    folder: Path

    def spec(self, **changes: object) -> GuestSpec: ...

    def restart(self) -> None: ...


def quiet(_text: str) -> None:
    """Nobody listens."""


def made(world: World) -> GuestSpec:
    spec = world.spec()
    world.driver.create(spec, quiet)
    return spec


def image_of(spec: GuestSpec) -> ImageFacts:
    assert spec.image is not None
    return spec.image


def power(world: World, spec: GuestSpec) -> PowerState:
    return world.driver.state(spec.uuid).power


def test_it_offers_every_capability(world: World) -> None:
    for capability in (Host, Guests, Power, Devices, Rescue, Inside, Snapshots, Console):
        assert isinstance(world.driver, capability)


def test_a_node_has_a_lasting_identity_and_room(world: World) -> None:
    before = world.driver.nodes()
    world.restart()
    after = world.driver.nodes()
    assert [(n.name, n.uuid) for n in before] == [(n.name, n.uuid) for n in after]
    for node in after:
        assert node.name == "host1"
        assert str(uuid.UUID(node.uuid)) == node.uuid
        assert node.vcpus > 0
        assert node.memory_mb > 0
        assert node.disk_gb >= node.free_disk_gb > 0
        assert node.hypervisor_version > 1_000_000 - 1
        assert "COMPUTE_NODE" in node.traits
        assert {"arch", "model", "vendor", "features", "topology"} <= set(node.cpu_info)
        assert " up " in (node.uptime or "")


def test_create_gives_a_running_guest_and_says_what_it_does(world: World) -> None:
    spec = world.spec()
    told: list[str] = []
    state = world.driver.create(spec, told.append)
    assert (state.uuid, state.name, state.power) == (spec.uuid, spec.name, PowerState.RUNNING)
    assert told
    seen = replace(state, machine=None)  # which is told once, by whoever made the guest
    assert world.driver.state(spec.uuid) == seen
    assert seen in world.driver.guests()
    (node,) = world.driver.nodes()
    assert node.running_guests >= 1
    assert node.vcpus_used >= 1


def test_create_again_finds_the_guest(world: World) -> None:
    spec = made(world)
    assert world.driver.create(spec, quiet).power is PowerState.RUNNING
    world.driver.pause(spec.uuid)
    assert world.driver.create(spec, quiet).power is PowerState.PAUSED
    assert [g.uuid for g in world.driver.guests()].count(spec.uuid) == 1


def test_a_guest_that_is_held_starts_paused(world: World) -> None:
    spec = replace(world.spec(), held=True)
    for _ in range(2):
        assert world.driver.create(spec, quiet).power is PowerState.PAUSED
    assert world.driver.unpause(spec.uuid).power is PowerState.RUNNING


def test_an_image_that_needs_a_bigger_disk_leaves_nothing(world: World) -> None:
    spec = world.spec()
    assert spec.image is not None
    too_big = replace(spec, image=replace(spec.image, min_disk_gb=2))
    with pytest.raises(InvalidImage, match="2 GiB"):
        world.driver.create(too_big, quiet)
    with pytest.raises(GuestMissing):
        world.driver.state(spec.uuid)
    assert world.driver.create(spec, quiet).power is PowerState.RUNNING


def test_destroy_is_final_and_may_be_repeated(world: World) -> None:
    spec = made(world)
    world.driver.destroy(spec.uuid)
    world.driver.destroy(spec.uuid)
    assert spec.uuid not in {g.uuid for g in world.driver.guests()}
    with pytest.raises(GuestMissing) as error:
        world.driver.state(spec.uuid)
    assert error.value.fields["uuid"] == spec.uuid


@pytest.mark.parametrize("step", ["stop", "pause", "suspend"])
def test_destroy_works_in_every_state(world: World, step: str) -> None:
    spec = made(world)
    if step == "stop":
        world.driver.stop(spec.uuid, 0)
    else:
        getattr(world.driver, step)(spec.uuid)
    world.driver.destroy(spec.uuid)
    assert spec.uuid not in {g.uuid for g in world.driver.guests()}
    assert world.driver.create(spec, quiet).power is PowerState.RUNNING


def test_stop_and_start(world: World) -> None:
    spec = made(world)
    assert world.driver.stop(spec.uuid, 1).power is PowerState.SHUTDOWN
    assert world.driver.stop(spec.uuid, 1).power is PowerState.SHUTDOWN
    assert power(world, spec) is PowerState.SHUTDOWN
    assert world.driver.start(spec).power is PowerState.RUNNING
    assert world.driver.start(spec).power is PowerState.RUNNING


@pytest.mark.parametrize("hard", [False, True])
def test_reboot(world: World, hard: bool) -> None:
    spec = made(world)
    assert world.driver.reboot(spec, hard=hard, timeout=1).power is PowerState.RUNNING


@pytest.mark.parametrize("step", ["stop", "pause", "suspend"])
def test_a_hard_reboot_works_in_every_state(world: World, step: str) -> None:
    spec = made(world)
    if step == "stop":
        world.driver.stop(spec.uuid, 0)
    else:
        getattr(world.driver, step)(spec.uuid)
    assert world.driver.reboot(spec, hard=True, timeout=1).power is PowerState.RUNNING


def test_pause_and_unpause(world: World) -> None:
    spec = made(world)
    for _ in range(2):
        assert world.driver.pause(spec.uuid).power is PowerState.PAUSED
    assert power(world, spec) is PowerState.PAUSED
    for _ in range(2):
        assert world.driver.unpause(spec.uuid).power is PowerState.RUNNING


def test_suspend_and_resume(world: World) -> None:
    spec = made(world)
    for _ in range(2):
        assert world.driver.suspend(spec.uuid).power is PowerState.SUSPENDED
    assert power(world, spec) is PowerState.SUSPENDED
    for _ in range(2):
        assert world.driver.resume(spec).power is PowerState.RUNNING


def test_a_paused_guest_that_was_suspended_comes_back_running(world: World) -> None:
    spec = made(world)
    world.driver.pause(spec.uuid)
    world.driver.suspend(spec.uuid)
    assert world.driver.resume(spec).power is PowerState.RUNNING


def test_calls_that_do_not_fit_the_state_are_refused(world: World) -> None:
    driver, spec = world.driver, made(world)
    driver.stop(spec.uuid, 0)
    for call in (driver.pause, driver.unpause, driver.suspend):
        with pytest.raises(GuestBusy, match="shutdown"):
            call(spec.uuid)
    with pytest.raises(GuestBusy):
        driver.resume(spec)
    with pytest.raises(GuestBusy):
        driver.reboot(spec, hard=False, timeout=1)
    with pytest.raises(GuestBusy):
        driver.endpoint(spec.uuid, "novnc")
    driver.start(spec)
    driver.pause(spec.uuid)
    with pytest.raises(GuestBusy, match="paused"):
        driver.start(spec)
    assert power(world, spec) is PowerState.PAUSED


@pytest.mark.parametrize("step", ["", "stop", "suspend"])
def test_rebuild_gives_a_running_guest_whatever_it_was(world: World, step: str) -> None:
    spec = made(world)
    if step == "stop":
        world.driver.stop(spec.uuid, 0)
    elif step:
        world.driver.suspend(spec.uuid)
    for _ in range(2):
        state = world.driver.rebuild(replace(spec, display_name="anew"), keep_ephemeral=False, progress=quiet)
        assert state.power is PowerState.RUNNING
    assert [g.uuid for g in world.driver.guests()].count(spec.uuid) == 1


def test_rebuild_makes_a_guest_that_is_missing(world: World) -> None:
    spec = world.spec()
    assert world.driver.rebuild(spec, keep_ephemeral=True, progress=quiet).power is PowerState.RUNNING


def test_rescue_and_back(world: World) -> None:
    spec = made(world)
    assert world.driver.rescue_image() is None
    for _ in range(2):
        assert world.driver.rescue(spec, image_of(spec), quiet).power is PowerState.RUNNING
    for _ in range(2):
        assert world.driver.unrescue(spec).power is PowerState.RUNNING
    world.driver.stop(spec.uuid, 0)
    assert world.driver.rescue(spec, image_of(spec), quiet).power is PowerState.RUNNING
    world.driver.destroy(spec.uuid)
    assert spec.uuid not in {g.uuid for g in world.driver.guests()}


def test_diagnostics_count_what_the_guest_has(world: World) -> None:
    spec = made(world)
    found = world.driver.diagnostics(spec.uuid)
    assert found.power is PowerState.RUNNING
    assert (found.memory_max_mb, len(found.cpus)) == (spec.memory_mb, spec.vcpus)
    assert found.disks[0].device == "vda"
    assert found.disks[0].read_bytes is not None
    world.driver.stop(spec.uuid, 0)
    with pytest.raises(GuestBusy):
        world.driver.diagnostics(spec.uuid)


def test_an_interrupt_is_for_running_guests(world: World) -> None:
    spec = made(world)
    world.driver.inject_nmi(spec.uuid)
    world.driver.stop(spec.uuid, 0)
    with pytest.raises(GuestBusy):
        world.driver.inject_nmi(spec.uuid)
    with pytest.raises(GuestBusy):
        world.driver.set_password(spec.uuid, "root", "secret")


def test_an_unknown_guest_is_missing_from_every_call(world: World) -> None:
    driver, spec = world.driver, world.spec()
    for call in (
        lambda: driver.state(spec.uuid),
        lambda: driver.start(spec),
        lambda: driver.stop(spec.uuid, 1),
        lambda: driver.reboot(spec, hard=True, timeout=1),
        lambda: driver.pause(spec.uuid),
        lambda: driver.unpause(spec.uuid),
        lambda: driver.suspend(spec.uuid),
        lambda: driver.resume(spec),
        lambda: driver.rescue(spec, image_of(spec), quiet),
        lambda: driver.unrescue(spec),
        lambda: driver.diagnostics(spec.uuid),
        lambda: driver.inject_nmi(spec.uuid),
        lambda: driver.set_password(spec.uuid, "root", "secret"),
        lambda: driver.snapshot(spec.uuid, str(uuid.uuid4()), quiet),
        lambda: driver.output(spec.uuid, 10),
        lambda: driver.endpoint(spec.uuid, "novnc"),
    ):
        with pytest.raises(GuestMissing, match=spec.uuid):
            call()


def test_the_console_log_is_the_guests_own_and_bounded(world: World) -> None:
    spec = made(world)
    deadline = time.monotonic() + 20
    while not (whole := world.driver.output(spec.uuid, 100_000)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert whole
    world.driver.stop(spec.uuid, 0)
    whole = world.driver.output(spec.uuid, 100_000)
    assert world.driver.output(spec.uuid, 5) == whole[-5:]


def test_the_screen_has_an_address(world: World) -> None:
    spec = made(world)
    endpoint = world.driver.endpoint(spec.uuid, "novnc")
    assert (endpoint.kind, endpoint.host) == ("novnc", "127.0.0.1")
    assert 0 < endpoint.port < 65536
    for kind in ("rdp-html5", "webmks", "nonsense"):
        with pytest.raises(Unsupported, match=kind):
            world.driver.endpoint(spec.uuid, kind)


def test_guests_survive_a_restart_of_the_agent(world: World) -> None:
    running, stopped = made(world), made(world)
    world.driver.stop(stopped.uuid, 0)
    world.restart()
    states = {g.uuid: g.power for g in world.driver.guests()}
    assert states[running.uuid] is PowerState.RUNNING
    assert states[stopped.uuid] is PowerState.SHUTDOWN
    assert world.driver.start(stopped).power is PowerState.RUNNING


def test_a_nic_is_plugged_in_and_out_as_often_as_asked(world: World) -> None:
    spec = made(world)
    nic = Nic(
        port_id=str(uuid.uuid4()),
        mac="fa:16:3e:00:00:42",
        network_id=str(uuid.uuid4()),
        label="private",
        vif_type="tap",
        devname="tapcontract42",
    )
    world.driver.attach_nic(spec, nic)
    world.driver.attach_nic(spec, nic)
    world.driver.stop(spec.uuid, 0)
    for _time in range(2):
        world.driver.detach_nic(spec.uuid, nic.mac)
    world.driver.attach_nic(spec, nic)
    assert power(world, spec) is PowerState.SHUTDOWN
    world.driver.detach_nic(str(uuid.uuid4()), nic.mac)
    with pytest.raises(GuestMissing):
        world.driver.attach_nic(world.spec(), nic)


def test_an_image_is_kept_before_a_guest_needs_it(world: World) -> None:
    assert isinstance(world.driver, ImageCaching)
    image = world.spec().image
    assert image is not None
    assert world.driver.cache_image(image, quiet)
    assert not world.driver.cache_image(image, quiet)


def volume(world: World, name: str, letter: str) -> VolumeDisk:
    path = world.folder / name
    world.folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1 << 20))
    path.chmod(0o666)
    info = {"driver_volume_type": "local", "data": {"device_path": str(path)}}
    return VolumeDisk(volume_id=str(uuid.uuid4()), connection=info, device_name=f"/dev/vd{letter}")


def test_the_volume_service_is_told_of_the_host(world: World) -> None:
    assert {"host", "ip"} <= set(world.driver.connector())


def test_a_volume_is_plugged_in_and_out_as_often_as_asked(world: World) -> None:
    spec, disk = made(world), volume(world, "one", "b")
    for _time in range(2):
        world.driver.attach_volume(spec, disk)
    world.driver.stop(spec.uuid, 0)
    world.driver.start(replace(spec, volumes=(disk,)))
    world.driver.stop(spec.uuid, 0)
    for _time in range(2):
        world.driver.detach_volume(spec.uuid, disk)
    world.driver.attach_volume(spec, disk)
    assert power(world, spec) is PowerState.SHUTDOWN
    world.driver.detach_volume(str(uuid.uuid4()), disk)
    with pytest.raises(GuestMissing):
        world.driver.attach_volume(world.spec(), disk)


def test_a_volume_takes_anothers_place_and_grows(world: World) -> None:
    spec, old, new = made(world), volume(world, "old", "b"), volume(world, "new", "b")
    world.driver.attach_volume(spec, old)
    for _time in range(2):
        world.driver.swap_volume(spec.uuid, old, new)
    world.driver.extend_volume(spec.uuid, new, 1)
    with pytest.raises(GuestMissing):
        world.driver.extend_volume(str(uuid.uuid4()), new, 1)


def test_a_volume_that_is_a_file_is_snapshot_and_merged_again(world: World) -> None:
    """The volume service makes each new file before it asks; asking twice is asking once."""
    spec, disk, driver = made(world), volume(world, "base", "b"), world.driver
    assert isinstance(driver, VolumeSnapshots)
    world.driver.attach_volume(spec, disk)
    data: dict[str, Any] = {"device_path": str(world.folder / "base"), "format": "raw"}
    for name, below in (("first", "base"), ("second", "first")):
        kind = "raw" if below == "base" else "qcow2"
        make = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(world.folder / below), "-F", kind]
        subprocess.run([*make, str(world.folder / name)], check=True)
        (world.folder / name).chmod(0o666)
        for _time in range(2):
            data = dict(driver.snapshot_volume(spec.uuid, at(disk, data), name))
        assert Path(data["device_path"]).name == name
        assert data["format"] == "qcow2"
    for _time in range(2):
        data = dict(driver.merge_volume(spec.uuid, at(disk, data), "first", "base"))
    data = dict(driver.merge_volume(spec.uuid, at(disk, data), None, None))
    assert Path(data["device_path"]).name == "second"
    world.driver.stop(spec.uuid, 0)
    with pytest.raises(GuestBusy):
        driver.merge_volume(spec.uuid, at(disk, data), None, None)
    world.driver.start(replace(spec, volumes=(at(disk, data),)))
    with pytest.raises(GuestMissing):
        driver.snapshot_volume(str(uuid.uuid4()), disk, "third")


def at(disk: VolumeDisk, data: dict[str, Any]) -> VolumeDisk:
    return replace(disk, connection={**disk.connection, "data": data})


def test_a_guest_boots_from_a_volume(world: World) -> None:
    root = replace(volume(world, "root", "a"), boot_index=0)
    spec = world.spec(volumes=(root,), image=None)
    world.driver.create(spec, quiet)
    assert power(world, spec) is PowerState.RUNNING
    world.driver.stop(spec.uuid, 0)
    assert power(world, spec) is PowerState.SHUTDOWN
    world.driver.start(spec)
    world.driver.destroy(spec.uuid)
    with pytest.raises(GuestMissing):
        world.driver.state(spec.uuid)
