"""What only real guests can show: disks, taps, serial output, and that nothing is left behind."""

import base64
import contextlib
import hashlib
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from kilonova.domain.power import PowerState
from kilonova.hypervisor.contracts import (
    AgentSilent,
    GuestMissing,
    GuestSpec,
    HypervisorFailed,
    HypervisorUnavailable,
    ImageFacts,
    InvalidImage,
    Nic,
    NoGuestAgent,
    NoSuchConsole,
)
from kilonova.hypervisor.libvirt.connection import BackupUnsupported, Connection, LiveDomain
from kilonova.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.hypervisor.libvirt.options import SerialOptions, SpiceOptions
from kilonova.kit.errors import NotFound

pytestmark = pytest.mark.system
MESSAGE = b"guest is up\r\n"
STRANGER = """<domain type='qemu'><name>stranger</name><uuid>{uuid}</uuid><memory>16384</memory>
<os><type>hvm</type></os></domain>"""


class Libvirtd(Protocol):
    home: Path
    uri: str

    def restart(self) -> None: ...

    def inside(self, *command: str) -> str: ...


class Shelf(Protocol):
    downloads: int
    formats: dict[str, str]

    def put(self, image_id: str, data: bytes) -> None: ...

    def path(self, image_id: str) -> Path: ...


class World(Protocol):
    driver: LibvirtDriver
    shelf: Shelf
    folder: Path

    def spec(self, **changes: Any) -> GuestSpec: ...

    def restart(self) -> None: ...


def quiet(_text: str) -> None:
    """Nobody listens."""


def virsh(libvirtd: Libvirtd, *command: str) -> str:
    whole = ["virsh", "-q", "-c", libvirtd.uri, *command]
    return subprocess.run(whole, capture_output=True, text=True, check=True).stdout


def links(libvirtd: Libvirtd) -> str:
    return libvirtd.inside("ip", "-d", "link", "show")


def eventually(ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.1)
    return False


def nic(devname: str, bridge: str = "klbr0") -> Nic:
    return Nic(
        port_id=str(uuid.uuid4()),
        mac="fa:16:3e:00:00:01",
        network_id=str(uuid.uuid4()),
        label="private",
        vif_type="bridge",
        devname=devname,
        bridge=bridge,
        mtu=1400,
    )


def left_over(world: World) -> set[str]:
    """All files but the image cache."""
    base = world.driver.options.base
    return {str(p) for p in world.folder.rglob("*") if p.is_file() and base not in p.parents}


def test_the_guest_really_boots_and_speaks(libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    assert eventually(lambda: MESSAGE in libvirt_world.driver.output(spec.uuid, 1000))
    libvirt_world.driver.reboot(spec, hard=True, timeout=0)
    assert eventually(lambda: libvirt_world.driver.output(spec.uuid, 1000).count(MESSAGE) == 2)


def test_a_guest_that_ends_by_itself_is_told_of(libvirt_world: World, libvirtd: Libvirtd) -> None:
    told: list[str] = []
    libvirt_world.driver.watch(told.append)
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    virsh(libvirtd, "destroy", spec.uuid)
    assert eventually(lambda: spec.uuid in told)
    told.clear()
    libvirtd.restart()  # a broken link is found by the next call, and what comes after it is told again
    libvirt_world.driver.start(spec)
    virsh(libvirtd, "destroy", spec.uuid)
    assert eventually(lambda: spec.uuid in told)


def test_its_screen_answers_as_vnc(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    port = libvirt_world.driver.endpoint(spec.uuid, "novnc").port
    greeting = libvirtd.inside("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; head -c 7 <&3")
    assert greeting == "RFB 003"


def test_all_its_disks_are_there_and_go_with_it(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec(ephemerals_gb=(1,), swap_mb=16)
    libvirt_world.driver.create(spec, quiet)
    shown = virsh(libvirtd, "domblklist", "--details", spec.uuid)
    rows = [line.split() for line in shown.splitlines()]
    assert [(row[1], row[2]) for row in rows] == [
        ("disk", "vda"),
        ("disk", "vdb"),
        ("disk", "vdc"),
        ("cdrom", "hda"),
    ]
    labels = [
        subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", row[3]], capture_output=True, check=False)
        for row in rows[1:]
    ]
    assert [found.stdout.strip() for found in labels] == [b"ephemeral0", b"swap", b"config-2"]
    libvirt_world.driver.destroy(spec.uuid)
    assert left_over(libvirt_world) == set()
    assert spec.name not in virsh(libvirtd, "list", "--all", "--name")


def test_its_tap_is_on_the_bridge_and_goes_with_it(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec(nics=(nic("tapkl1"),))
    libvirt_world.driver.create(spec, quiet)
    shown = libvirtd.inside("ip", "-o", "link", "show", "tapkl1")
    assert "master klbr0" in shown
    assert "mtu 1400" in shown
    libvirt_world.driver.stop(spec.uuid, 0)
    assert "tapkl1" not in links(libvirtd)
    libvirt_world.driver.start(replace(spec, nics=(nic("tapkl2"),)))
    assert "tapkl2" in links(libvirtd)
    libvirt_world.driver.destroy(spec.uuid)
    assert "tapkl2" not in links(libvirtd)


def test_a_bridge_that_is_missing_leaves_nothing(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec(nics=(nic("tapkl3", bridge="nobridge"),))
    with pytest.raises(HypervisorFailed, match="nobridge"):
        libvirt_world.driver.create(spec, quiet)
    assert left_over(libvirt_world) == set()
    assert spec.name not in virsh(libvirtd, "list", "--all", "--name")
    assert "tapkl3" not in links(libvirtd)


def test_an_image_that_is_not_there_leaves_nothing(libvirt_world: World) -> None:
    image = ImageFacts(id=str(uuid.uuid4()), disk_format="raw", size=1)
    with pytest.raises(NotFound, match=image.id):
        libvirt_world.driver.create(libvirt_world.spec(image=image), quiet)
    assert left_over(libvirt_world) == set()
    assert list(libvirt_world.driver.options.base.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (["create", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", "{}"], "backing file"),
        (["create", "-f", "qcow2", "-o", "data_file={}.data", "{}", "1M"], "data_file"),
        (["create", "-f", "qcow2", "{}", "2G"], "does not fit"),
        (["create", "-f", "raw", "{}", "1M"], "its data is raw"),
    ],
)
def test_a_bad_image_is_refused(libvirt_world: World, make: list[str], words: str) -> None:
    image = ImageFacts(id=str(uuid.uuid4()), disk_format="qcow2", size=1)
    path = libvirt_world.shelf.path(image.id)
    command = ["qemu-img", *(word.format(path) for word in make)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(InvalidImage, match=words):
        libvirt_world.driver.create(libvirt_world.spec(image=image), quiet)
    assert left_over(libvirt_world) == set()


def test_guests_started_together_share_one_download(libvirt_world: World) -> None:
    specs = [libvirt_world.spec() for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(lambda spec: libvirt_world.driver.create(spec, quiet), specs))
    assert [state.power for state in states] == [PowerState.RUNNING] * 3
    assert libvirt_world.shelf.downloads == 1


def test_what_a_killed_agent_left_half_made_is_made_anew(libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    folder = libvirt_world.folder / spec.uuid
    folder.mkdir(parents=True)
    (folder / "disk").write_bytes(b"half")
    (folder / "disk.swap").write_bytes(b"of another try")
    base = libvirt_world.driver.options.base
    base.mkdir()
    assert spec.image
    (base / f"{spec.image.id}.download.part").write_bytes(b"half")
    libvirt_world.driver.create(spec, quiet)
    assert eventually(lambda: MESSAGE in libvirt_world.driver.output(spec.uuid, 1000))
    assert not (folder / "disk.swap").exists()
    assert [p.name for p in base.iterdir()] == [f"{spec.image.id}.raw"]


def test_a_guest_defined_but_not_started_is_finished(libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    folder = libvirt_world.driver.storage.make(spec, quiet)
    libvirt_world.driver.define(spec, folder)
    assert libvirt_world.driver.create(spec, quiet).power is PowerState.RUNNING


def test_destroy_does_not_wait_for_a_polite_shutdown(libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(libvirt_world.driver.stop, spec.uuid, 60)
        time.sleep(0.5)
        began = time.monotonic()
        libvirt_world.driver.destroy(spec.uuid)
        assert time.monotonic() - began < 20
        assert stopping.exception() is None or isinstance(stopping.exception(), GuestMissing)
    assert left_over(libvirt_world) == set()


def test_strangers_are_left_alone(libvirt_world: World, libvirtd: Libvirtd, tmp_path: Path) -> None:
    stranger = str(uuid.uuid4())
    document = tmp_path / "stranger.xml"
    document.write_text(STRANGER.format(uuid=stranger))
    virsh(libvirtd, "define", str(document))
    try:
        assert stranger not in {g.uuid for g in libvirt_world.driver.guests()}
        with pytest.raises(GuestMissing):
            libvirt_world.driver.stop(stranger, 0)
        libvirt_world.driver.destroy(stranger)
        with pytest.raises(HypervisorFailed):
            libvirt_world.driver.create(libvirt_world.spec(uuid=stranger), quiet)
        assert "stranger" in virsh(libvirtd, "list", "--all", "--name")
    finally:
        virsh(libvirtd, "undefine", stranger)


def test_guests_and_driver_survive_a_restart_of_libvirtd(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    libvirtd.restart()
    assert libvirt_world.driver.state(spec.uuid).power is PowerState.RUNNING
    libvirtd.restart()
    assert libvirt_world.driver.stop(spec.uuid, 0).power is PowerState.SHUTDOWN


def test_a_libvirtd_that_hangs_holds_nobody_up_for_long(libvirtd: Libvirtd, tmp_path: Path) -> None:
    """Neither a call under way, nor one that connects; whoever comes once it goes on is served."""
    connection = Connection(libvirtd.uri, "host1", silence=1)
    connection.watch(lambda _uuid: None)
    connection.version()
    pid = libvirtd.inside("cat", str(libvirtd.home / "libvirtd.pid")).strip()
    libvirtd.inside("kill", "-STOP", pid)
    try:
        begun = time.monotonic()
        with pytest.raises(HypervisorUnavailable):
            connection.domains()
        with pytest.raises(HypervisorUnavailable, match="does not answer"):
            connection.domains()
        assert time.monotonic() - begun < 15
    finally:
        libvirtd.inside("kill", "-CONT", pid)
    assert eventually(lambda: _answers(connection))
    connection.close()


def _answers(connection: Connection) -> bool:
    with contextlib.suppress(HypervisorUnavailable):
        return bool(connection.version())
    return False


def test_a_lost_definition_is_made_again_at_start(libvirt_world: World, libvirtd: Libvirtd) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    libvirt_world.driver.stop(spec.uuid, 0)
    virsh(libvirtd, "undefine", spec.uuid)
    assert libvirt_world.driver.start(spec).power is PowerState.RUNNING


@pytest.mark.parametrize("state", ["running", "paused", "off", "suspended"])
def test_a_snapshot_is_the_flat_root_disk(libvirt_world: World, state: str, tmp_path: Path) -> None:
    driver, spec, image_id = libvirt_world.driver, libvirt_world.spec(), str(uuid.uuid4())
    driver.create(spec, quiet)
    if state == "paused":
        driver.pause(spec.uuid)
    elif state == "off":
        driver.stop(spec.uuid, 0)
    elif state == "suspended":
        driver.suspend(spec.uuid)
    before = driver.state(spec.uuid)
    driver.snapshot(spec.uuid, image_id, quiet)
    assert driver.state(spec.uuid) == before
    check_snapshot(libvirt_world, spec, image_id, tmp_path)


def check_snapshot(world: World, spec: GuestSpec, image_id: str, tmp_path: Path) -> None:
    assert spec.image
    assert world.shelf.formats == {image_id: "qcow2"}
    image, raw = world.shelf.path(image_id), tmp_path / "raw"
    info = world.driver.tool.info(image, "qcow2")
    assert (info.backing_file, info.virtual_size) == (None, 1024**3)
    world.driver.tool.convert(image, "qcow2", raw, "raw")
    with raw.open("rb") as stream:
        assert stream.read(512) == world.shelf.path(spec.image.id).read_bytes()
    assert left_over(world) == {str(p) for p in (world.folder / spec.uuid).iterdir()}


class OldQemu(LibvirtDriver):
    """A host whose QEMU cannot copy the disk of a running guest."""

    def _back_up(self, domain: LiveDomain, target: Path) -> None:
        raise BackupUnsupported(reason=f"{domain.name}: old QEMU, no {target.name}")


def test_without_live_backup_the_guest_is_paused_for_its_snapshot(libvirt_world: World, tmp_path: Path) -> None:
    spec, image_id = libvirt_world.spec(), str(uuid.uuid4())
    libvirt_world.driver.create(spec, quiet)
    old = OldQemu(libvirt_world.driver.options, libvirt_world.driver.images)
    old.snapshot(spec.uuid, image_id, quiet)
    old.close()
    assert libvirt_world.driver.state(spec.uuid).power is PowerState.RUNNING
    check_snapshot(libvirt_world, spec, image_id, tmp_path)


def test_a_snapshot_becomes_a_guest(libvirt_world: World) -> None:
    spec, image_id = libvirt_world.spec(), str(uuid.uuid4())
    libvirt_world.driver.create(spec, quiet)
    libvirt_world.driver.snapshot(spec.uuid, image_id, quiet)
    data = libvirt_world.shelf.path(image_id).read_bytes()
    image = ImageFacts(
        id=image_id, disk_format="qcow2", size=len(data), checksum=f"sha256:{hashlib.sha256(data).hexdigest()}"
    )
    second = libvirt_world.spec(image=image)
    libvirt_world.driver.create(second, quiet)
    assert eventually(lambda: MESSAGE in libvirt_world.driver.output(second.uuid, 1000))


def test_unused_images_go_and_used_ones_stay(libvirt_world: World) -> None:
    spec, other = libvirt_world.spec(), str(uuid.uuid4())
    libvirt_world.shelf.put(other, b"\0" * 512)
    brief = libvirt_world.spec(image=ImageFacts(id=other, disk_format="raw", size=512))
    for each in (spec, brief):
        libvirt_world.driver.create(each, quiet)
    libvirt_world.driver.destroy(brief.uuid)
    assert libvirt_world.driver.prune_images() == ()  # both were used a moment ago
    libvirt_world.driver.stop(spec.uuid, 0)
    assert spec.image
    assert libvirt_world.driver.cache.prune({spec.image.id}, -1) == (f"{other}.raw",)
    assert libvirt_world.driver.start(spec).power is PowerState.RUNNING


def test_a_config_drive_is_written_anew_at_start(libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    libvirt_world.driver.stop(spec.uuid, 0)
    files = {"openstack/latest/user_data": base64.b64encode(b"second edition").decode()}
    libvirt_world.driver.start(replace(spec, config_drive=files))
    assert b"second edition" in (libvirt_world.folder / spec.uuid / "disk.config").read_bytes()


def test_a_nic_is_plugged_into_the_running_guest(libvirtd: Libvirtd, libvirt_world: World) -> None:
    spec = libvirt_world.spec()
    libvirt_world.driver.create(spec, quiet)
    plugged = nic("tapplugged")
    libvirt_world.driver.attach_nic(spec, plugged)
    assert "tapplugged" in links(libvirtd)
    assert plugged.mac in virsh(libvirtd, "dumpxml", spec.uuid)
    assert plugged.mac in virsh(libvirtd, "dumpxml", "--inactive", spec.uuid)
    libvirt_world.driver.stop(spec.uuid, 0)
    assert "tapplugged" not in links(libvirtd)
    libvirt_world.driver.detach_nic(spec.uuid, plugged.mac)
    assert plugged.mac not in virsh(libvirtd, "dumpxml", "--inactive", spec.uuid)


def test_rescue_boots_the_other_disk_and_leaves_its_own(libvirt_world: World, libvirtd: Libvirtd) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec()
    driver.create(spec, quiet)
    assert eventually(lambda: MESSAGE in driver.output(spec.uuid, 1000))
    rescue = rescue_image(libvirt_world)
    root = (libvirt_world.folder / spec.uuid / "disk").read_bytes()
    driver.rescue(spec, rescue, quiet)
    assert eventually(lambda: b"rescued now" in driver.output(spec.uuid, 1000))
    assert disks(libvirtd, spec)[:2] == [("vda", "disk.rescue"), ("vdb", "disk")]
    assert (libvirt_world.folder / spec.uuid / "disk").read_bytes() == root
    driver.unrescue(spec)
    assert eventually(lambda: driver.output(spec.uuid, 1000).count(MESSAGE) == 2)
    assert disks(libvirtd, spec)[0] == ("vda", "disk")
    assert not list(libvirt_world.folder.glob("*/*.rescue"))


@pytest.mark.parametrize(
    "properties", [{"hw_rescue_bus": "virtio"}, {"hw_rescue_device": "cdrom"}, {"hw_rescue_device": "floppy"}]
)
def test_a_stable_rescue_moves_no_disk(libvirt_world: World, libvirtd: Libvirtd, properties: dict[str, str]) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec(ephemerals_gb=(1,))
    driver.create(spec, quiet)
    driver.rescue(spec, replace(rescue_image(libvirt_world), properties=properties), quiet)
    assert disks(libvirtd, spec)[:2] == [("vda", "disk"), ("vdb", "disk.eph0")]
    assert "disk.rescue" in {name for _dev, name in disks(libvirtd, spec)}
    if properties != {"hw_rescue_device": "cdrom"}:  # a boot sector of a disk is none of a CD
        assert eventually(lambda: b"rescued now" in driver.output(spec.uuid, 1000))
    driver.destroy(spec.uuid)
    assert not left_over(libvirt_world)


def test_a_host_has_a_rescue_image_and_a_kernel_for_it(libvirt_world: World) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec()
    driver.create(spec, quiet)
    assert driver.rescue_image() is None
    rescue, kernel = rescue_image(libvirt_world), str(uuid.uuid4())
    libvirt_world.shelf.put(kernel, b"kernel")
    own = replace(driver.options.libvirt, rescue_image_id=rescue.id, rescue_kernel_id=kernel)
    driver.options = replace(driver.options, libvirt=own)
    assert driver.rescue_image() == rescue.id
    with contextlib.suppress(HypervisorFailed):  # nobody boots that kernel
        driver.rescue(spec, replace(rescue, properties={"kernel_id": str(uuid.uuid4())}), quiet)
    assert (libvirt_world.folder / spec.uuid / "kernel.rescue").read_bytes() == b"kernel"
    with pytest.raises(InvalidImage, match="hw_rescue_device"):
        driver.rescue(spec, replace(rescue, properties={"hw_rescue_device": "lun"}), quiet)


def test_a_rebuild_makes_new_disks_and_keeps_an_ephemeral_one_if_wanted(libvirt_world: World) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec(ephemerals_gb=(1, 2))
    driver.create(spec, quiet)
    folder = libvirt_world.folder / spec.uuid
    assert (folder / "disk.eph1").stat().st_size == 2 << 30
    kept = (folder / "disk.eph0").stat().st_ino
    anew = replace(spec, image=rescue_image(libvirt_world))
    driver.rebuild(anew, keep_ephemeral=True, progress=quiet)
    assert eventually(lambda: b"rescued now" in driver.output(spec.uuid, 1000))
    assert (folder / "disk.eph0").stat().st_ino == kept
    gone = replace(spec, image=ImageFacts(id=str(uuid.uuid4()), disk_format="raw", size=1))
    with pytest.raises(NotFound):
        driver.rebuild(gone, keep_ephemeral=True, progress=quiet)
    assert driver.state(spec.uuid).power is PowerState.RUNNING


def test_a_password_needs_an_agent_that_answers(libvirt_world: World) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec()
    assert spec.image
    driver.create(spec, quiet)
    with pytest.raises(NoGuestAgent):
        driver.set_password(spec.uuid, "root", "secret")
    with_agent = replace(spec, image=replace(spec.image, properties={"hw_qemu_guest_agent": "yes"}))
    driver.reboot(with_agent, hard=True, timeout=0)
    with pytest.raises((AgentSilent, HypervisorFailed), match="agent"):
        driver.set_password(spec.uuid, "root", "secret")


def test_images_under_a_disk_are_never_pruned(libvirt_world: World) -> None:
    driver, spec = libvirt_world.driver, libvirt_world.spec()
    shelved = rescue_image(libvirt_world)
    driver.create(replace(spec, image=shelved), quiet)
    driver.reboot(spec, hard=True, timeout=0)  # from here on it names the server's own image
    driver.cache.prune(set(), -1.0)
    unused = rescue_image(libvirt_world)
    driver.storage.fetch(spec, unused, quiet)
    options = replace(driver.options.image_cache, remove_unused_original_minimum_age_seconds=-1)
    driver.options = replace(driver.options, image_cache=options)
    assert [name.partition(".")[0] for name in driver.prune_images()] == [unused.id]


def test_serial_and_spice_consoles_have_ports_of_their_own(libvirt_world: World, libvirtd: Libvirtd) -> None:
    driver = libvirt_world.driver
    plain = libvirt_world.spec()
    driver.create(plain, quiet)
    for kind in ("serial", "spice-html5", "spice-direct"):
        with pytest.raises(NoSuchConsole, match=kind):
            driver.endpoint(plain.uuid, kind)
    driver.options = replace(
        driver.options, serial=SerialOptions(enabled=True, port_range="13100:13101"), spice=SpiceOptions(enabled=True)
    )
    first, second = libvirt_world.spec(), libvirt_world.spec()
    ports = []
    for spec in (first, second):
        driver.create(spec, quiet)
        ports.append(driver.endpoint(spec.uuid, "serial").port)
        assert driver.endpoint(spec.uuid, "spice-html5").port > 0
    assert sorted(ports) == [13100, 13101]
    driver.reboot(first, hard=True, timeout=0)
    assert driver.endpoint(first.uuid, "serial").port == ports[0]
    said = libvirtd.inside("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{ports[0]}; echo connected")
    assert said == "connected\n"
    with pytest.raises(HypervisorFailed, match="port_range"):
        driver.create(libvirt_world.spec(), quiet)


def rescue_image(world: World) -> ImageFacts:
    """Another guest, which says something else."""
    image_id = str(uuid.uuid4())
    own = world.spec().image
    assert own
    sector = world.shelf.path(own.id).read_bytes().replace(b"guest is up", b"rescued now")
    world.shelf.put(image_id, sector.ljust(1 << 20, b"\0"))  # no BIOS boots from a disk of one sector
    return ImageFacts(id=image_id, disk_format="raw", size=1 << 20)


def disks(libvirtd: Libvirtd, spec: GuestSpec) -> list[tuple[str, str]]:
    """(device, file) of the running guest, in order."""
    lines = virsh(libvirtd, "domblklist", spec.uuid).splitlines()
    return [(line.split()[0], line.split()[1].rsplit("/", 1)[-1]) for line in lines if "/" in line]
