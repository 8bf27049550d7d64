from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.hypervisor.libvirt.builders.test_facets import EXTRA, options, plan, properties, spec

from kilonova.hypervisor.contracts import VolumeDisk
from kilonova.hypervisor.libvirt.builders.disks import disks
from kilonova.hypervisor.libvirt.builders.volumes import ConnectionUnsupported, EncryptedVolume, volume_disk
from kilonova.hypervisor.libvirt.xml.domain import Domain
from kilonova.hypervisor.libvirt.xml.tree import write

RBD: dict[str, Any] = {
    "name": "volumes/volume-v1",
    "hosts": ["10.0.0.1", "[fd00::1]"],
    "ports": ["6789", "3300"],
    "auth_enabled": True,
    "auth_username": "cinder",
    "secret_uuid": "s1",
    "discard": True,
}
VOLUME = VolumeDisk(
    volume_id="v1", connection={"driver_volume_type": "rbd", "data": RBD}, device_name="/dev/vdb", multiattach=True
)


def told(kind: str, **data: Any) -> VolumeDisk:
    return replace(VOLUME, connection={"driver_volume_type": kind, "data": data}, multiattach=False)


def test_ceph_is_reached_by_qemu_itself() -> None:
    text = write(volume_disk(plan(), VOLUME))
    for part in (
        '<disk type="network" device="disk">',
        '<driver name="qemu" type="raw" discard="unmap"/>',
        '<source protocol="rbd" name="volumes/volume-v1">',
        '<host name="10.0.0.1" port="6789"/>',
        '<host name="fd00::1" port="3300"/>',
        '<auth username="cinder">',
        '<secret type="ceph" uuid="s1"/>',
        '<target dev="vdb" bus="virtio"/>',
        "<shareable/>",
        "<serial>v1</serial>",
    ):
        assert part in text.replace(" />", "/>"), text


def test_the_hosts_own_ceph_user_serves_where_cinder_names_no_secret() -> None:
    own = plan(options=options(rbd_user="nova", rbd_secret_uuid="s2"))
    found = volume_disk(own, told("rbd", **{**RBD, "secret_uuid": None})).source
    assert found is not None
    assert found.auth is not None
    assert (found.auth.username, found.auth.secret.uuid) == ("nova", "s2")
    anonymous = volume_disk(own, told("rbd", **{**RBD, "auth_enabled": False})).source
    assert anonymous is not None
    assert anonymous.auth is None


def test_a_local_volume_is_a_file_of_the_host(tmp_path: Path) -> None:
    read_only = told("local", device_path=str(tmp_path / "v1"), format="qcow2", access_mode="ro")
    disk = volume_disk(plan(spec=spec(image=properties(hw_disk_bus="scsi"))), read_only)
    assert disk.driver is not None
    assert disk.source is not None
    assert (disk.type, disk.driver.type, disk.source.file, disk.readonly) == (
        "file",
        "qcow2",
        str(tmp_path / "v1"),
        True,
    )
    assert (disk.target.dev, disk.target.bus) == ("vdb", "scsi")
    assert volume_disk(plan(), replace(read_only, device_type="cdrom", bus="sata")).device == "cdrom"


def test_what_cannot_be_attached_is_refused_by_name() -> None:
    with pytest.raises(ConnectionUnsupported, match="iscsi"):
        volume_disk(plan(), told("iscsi", target_portal="x"))
    with pytest.raises(EncryptedVolume, match="v1"):
        volume_disk(plan(), told("rbd", **RBD, encrypted=True))


def names(*volumes: VolumeDisk, **more: Any) -> list[tuple[str, str | None]]:
    made = disks(plan(spec=spec(volumes=volumes), **more), Domain(type="qemu")).devices.disks
    return [(disk.target.dev, disk.serial if disk.serial == "v1" else None) for disk in made]


def test_volumes_keep_their_names_among_the_others() -> None:
    assert names(VOLUME, disks=EXTRA) == [("vda", None), ("vdc", None), ("vdd", None), ("hda", None), ("vdb", "v1")]


def test_a_root_volume_comes_first() -> None:
    root = replace(VOLUME, device_name="/dev/vda", boot_index=0)
    other = replace(VOLUME, volume_id="v2", device_name="/dev/vdb")
    assert names(other, root, disks=EXTRA[3:]) == [("vda", "v1"), ("hda", None), ("vdb", None)]
