"""Whole domains against documents in tests/golden/libvirt; ``KILONOVA_WRITE_GOLDEN=1`` writes them anew."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kilonova.hypervisor.contracts import GuestShare, GuestSpec, HypervisorFailed, ImageFacts, Nic
from kilonova.hypervisor.libvirt.builders.facets import FACETS, build
from kilonova.hypervisor.libvirt.builders.plan import DiskFile, Plan
from kilonova.hypervisor.libvirt.options import (
    DriverOptions,
    GuestDisplayOptions,
    LibvirtOptions,
    SerialOptions,
    SpiceOptions,
    StorageOptions,
)
from kilonova.hypervisor.libvirt.xml.domain import Domain
from kilonova.hypervisor.libvirt.xml.tree import read, write

GOLDEN = Path(__file__).parents[4] / "golden" / "libvirt"
FOLDER = Path("/var/lib/nova/instances/7d0f3bd1-0000-4000-8000-000000000001")
ROOT = DiskFile(path=FOLDER / "disk", format="qcow2", role="root")
EXTRA = (
    ROOT,
    DiskFile(path=FOLDER / "disk.eph0", format="raw", role="ephemeral"),
    DiskFile(path=FOLDER / "disk.swap", format="raw", role="swap"),
    DiskFile(path=FOLDER / "disk.config", format="raw", role="config"),
)
BRIDGED = Nic(
    port_id="aaaaaaaa-0000-4000-8000-000000000001",
    mac="fa:16:3e:11:22:33",
    network_id="bbbbbbbb-0000-4000-8000-000000000001",
    label="private",
    vif_type="bridge",
    devname="tapaaaaaaaa-00",
    bridge="brq-private",
    mtu=1450,
)


def options(*, vnc: bool = True, pointer: str | None = "usbtablet", **libvirt: Any) -> DriverOptions:
    return DriverOptions(
        host="host1",
        address="192.0.2.1",
        state_path=Path("/var/lib/nova"),
        libvirt=LibvirtOptions(**libvirt),
        vnc=GuestDisplayOptions(enabled=vnc, server_listen="192.0.2.1"),
        storage=StorageOptions(pointer_model=pointer),
    )


def spec(**changes: Any) -> GuestSpec:
    plain = GuestSpec(
        uuid="7d0f3bd1-0000-4000-8000-000000000001",
        name="instance-00000001",
        display_name="web <1>\x07",
        project_id="project",
        user_id="user",
        flavor_name="m1.tiny",
        vcpus=2,
        memory_mb=256,
        root_gb=1,
        image=ImageFacts(id="cccccccc-0000-4000-8000-000000000001", disk_format="qcow2", size=1),
    )
    return replace(plain, **changes)


def properties(**values: str) -> ImageFacts:
    return ImageFacts(id="cccccccc-0000-4000-8000-000000000001", disk_format="qcow2", size=1, properties=values)


def plan(**changes: Any) -> Plan:
    plain = Plan(
        spec=spec(),
        options=options(virt_type="qemu"),
        arch="x86_64",
        disks=(ROOT,),
        console_log=FOLDER / "console.log",
    )
    return replace(plain, **changes)


SHARE = GuestShare(share_id="dddddddd-0000-4000-8000-000000000001", tag="data", export="192.0.2.50:/data")
CASES = {
    "shares": plan(spec=spec(shares=(SHARE,))),
    "plain": plan(),
    "full": plan(
        spec=spec(nics=(BRIDGED,), ephemerals_gb=(1,), swap_mb=64),
        options=options(virt_type="qemu", tb_cache_size=32),
        disks=EXTRA,
    ),
    "kvm": plan(
        options=options(
            virt_type="kvm",
            cpu_model_extra_flags=["+pcid", "-vmx"],
            disk_cachemodes=["file=none"],
            hw_disk_discard="unmap",
            rx_queue_size=512,
        ),
        spec=spec(
            nics=(
                replace(BRIDGED, vif_type="ovs", bridge="br-int"),
                replace(BRIDGED, vif_type="tap", bridge=None, mtu=None, devname="tapbbbbbbbb-00"),
            ),
            extra_specs={"quota:cpu_shares": "512", "hw_rng:rate_bytes": "1024"},
        ),
    ),
    "q35": plan(
        options=options(virt_type="kvm", hw_machine_type=["x86_64=q35"], cpu_mode="host-passthrough"),
        spec=spec(image=properties(hw_vif_model="e1000", hw_video_model="virtio", os_type="windows")),
        disks=EXTRA,
    ),
    "kernel": plan(
        kernel=FOLDER / "kernel",
        ramdisk=FOLDER / "ramdisk",
        spec=spec(image=properties(os_command_line="console=ttyS0")),
    ),
    "headless": plan(
        options=options(vnc=False, virt_type="qemu", cpu_mode="custom", cpu_models=["Nehalem"]),
        spec=spec(image=None, extra_specs={"hw_rng:allowed": "false"}),
    ),
    "consoles": plan(
        options=replace(
            options(virt_type="qemu"),
            spice=SpiceOptions(
                enabled=True,
                require_secure=True,
                image_compression="auto_glz",
                jpeg_compression="auto",
                zlib_compression="never",
                playback_compression=False,
                streaming_mode="filter",
            ),
            serial=SerialOptions(enabled=True, proxyclient_address="192.0.2.1"),
        ),
        serial_port=10003,
    ),
    "arm": plan(arch="aarch64", spec=spec(image=properties(hw_firmware_type="uefi")), disks=EXTRA),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_document_is_as_recorded(name: str) -> None:
    document = write(build(CASES[name]))
    path = GOLDEN / f"{name}.xml"
    if os.environ.get("KILONOVA_WRITE_GOLDEN"):
        path.write_text(document)
    assert document == path.read_text()


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_document_reads_back_as_it_was(name: str) -> None:
    made = build(CASES[name])
    assert read(Domain, write(made)) == made


def test_building_changes_nothing_and_is_repeatable() -> None:
    assert build(CASES["full"]) == build(CASES["full"])
    assert len(FACETS) == len(set(FACETS))


@pytest.mark.parametrize("nic", [replace(BRIDGED, vif_type="hw_veb"), replace(BRIDGED, bridge=None)])
def test_a_port_that_cannot_be_plugged_is_named(nic: Nic) -> None:
    with pytest.raises(HypervisorFailed, match=nic.port_id):
        build(plan(spec=spec(nics=(nic,))))
