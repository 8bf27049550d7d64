from typing import Any

import pytest

from kilonova.domain import block_device
from kilonova.domain.block_device import BlockDevice, DeviceNameTaken, InvalidBlockDevices

FLAVOR = {"ephemeral_gb": 2, "swap_mb": 0}
V = {"source_type": "volume", "uuid": "v1"}
ROOT = {"source_type": "image", "uuid": "i1", "destination_type": "volume", "boot_index": 0, "volume_size": 1}


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (V, {"destination_type": "volume", "volume_id": "v1", "boot_index": None, "delete_on_termination": False}),
        ({"uuid": "v1"}, {"source_type": "volume", "source_id": "v1"}),
        (ROOT, {"image_id": "i1", "is_root": True, "source_id": "i1"}),
        ({"source_type": "snapshot", "uuid": "s1"}, {"is_volume": True, "snapshot_id": "s1", "volume_size": None}),
        ({"source_type": "blank", "guest_format": "swap"}, {"is_swap": True, "delete_on_termination": True}),
        ({"source_type": "blank", "volume_size": 1}, {"is_ephemeral": True}),
        ({**V, "boot_index": -1, "device_name": "vdc"}, {"boot_index": None, "device_name": "/dev/vdc"}),
    ],
)
def test_an_entry_means(entry: dict[str, Any], wanted: dict[str, Any]) -> None:
    (device,) = block_device.requested([entry])
    assert {name: getattr(device, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"source_type": "volume"}, "uuid"),
        ({"source_type": "blank", "destination_type": "volume"}, "Blank volumes"),
        ({**ROOT, "volume_size": None}, "Images"),
        ({**V, "destination_type": "local"}, "volume to local"),
        ({"source_type": "image", "destination_type": "local", "uuid": "i", "boot_index": 1}, "image to local"),
        ({**V, "volume_type": "fast"}, "volume_type"),
        ({**V, "disk_bus": "xen"}, "disk_bus"),
        ({**V, "device_name": "/etc/passwd"}, "device_name"),
    ],
)
def test_an_entry_is_refused(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidBlockDevices, match=words):
        block_device.requested([entry])


def test_no_device_asks_for_nothing() -> None:
    assert block_device.requested([{**V, "no_device": True}]) == []


def test_before_v2_the_root_is_found_by_its_name() -> None:
    entries = [{"volume_id": "v1", "device_name": "vdb"}, {"snapshot_id": "s1", "device_name": "/dev/vda"}]
    plain = block_device.requested_before_v2(entries, with_image=True)
    assert [(d.source_type, d.boot_index) for d in plain] == [("volume", None), ("snapshot", None)]
    booted = block_device.requested_before_v2(entries, with_image=False)
    assert [d.boot_index for d in booted] == [None, 0]
    assert block_device.is_volume_backed(booted)
    (first,) = block_device.requested_before_v2(entries[:1], with_image=False)
    assert first.is_root
    assert block_device.requested_before_v2([{"no_device": True}], with_image=False) == []
    with pytest.raises(InvalidBlockDevices):
        block_device.requested_before_v2([{}], with_image=False)


def device(boot: int | None = None, **more: Any) -> BlockDevice:
    return BlockDevice(**{"source_type": "volume", "destination_type": "volume", "boot_index": boot, **more})


@pytest.mark.parametrize(
    ("indexes", "with_image", "fine"),
    [
        ([0], False, True),
        ([1, 0, None], False, True),
        ([1], True, True),
        ([], True, True),
        ([], False, False),
        ([None], False, False),
        ([0, 0], False, False),
        ([0], True, False),
        ([0, 2], False, False),
    ],
)
def test_boot_sequence(indexes: list[int | None], *, with_image: bool, fine: bool) -> None:
    devices = [device(index) for index in indexes]
    if fine:
        block_device.check_boot_sequence(devices, with_image=with_image)
        return
    with pytest.raises(InvalidBlockDevices, match="Boot sequence"):
        block_device.check_boot_sequence(devices, with_image=with_image)


def test_an_image_named_twice_is_one_root() -> None:
    local = device(0, source_type="image", destination_type="local")
    block_device.check_boot_sequence([local], with_image=True)
    assert not block_device.is_volume_backed([local])


BLANK: dict[str, Any] = {"source_type": "blank", "destination_type": "local"}


@pytest.mark.parametrize(
    ("devices", "most", "words"),
    [
        ([device(**BLANK, volume_size=3)], 3, "Ephemeral"),
        ([device(**BLANK, guest_format="swap", volume_size=1)], 3, "Swap"),
        ([device(**BLANK, guest_format="swap", volume_size=0)] * 2, 3, "More than one swap"),
        ([device(**BLANK, volume_size=1)], 1, "more local devices"),
    ],
)
def test_local_disks_are_refused(devices: list[BlockDevice], most: int, words: str) -> None:
    with pytest.raises(InvalidBlockDevices, match=words):
        block_device.check_local(devices, FLAVOR, most, with_image=True)


def test_local_disks_that_fit() -> None:
    devices = [device(**BLANK, volume_size=1), device(**BLANK, volume_size=1), device()]
    block_device.check_local(devices, FLAVOR, 3, with_image=True)
    block_device.check_local([device(0)], FLAVOR, 0, with_image=False)


def test_every_device_gets_a_name_of_its_own() -> None:
    devices = [device(0), device(device_name="/dev/vdc"), device(), device(disk_bus="scsi")]
    assert [d.device_name for d in block_device.named(devices, FLAVOR)] == [
        "/dev/vda",
        "/dev/vdc",
        "/dev/vdd",  # the flavor's ephemeral disk is vdb
        "/dev/sda",
    ]
    with pytest.raises(InvalidBlockDevices, match="same name"):
        block_device.named([device(device_name="/dev/vdc")] * 2, FLAVOR)


def test_names() -> None:
    assert block_device.implied_names([], {"ephemeral_gb": 1, "swap_mb": 1}) == ["/dev/vda", "/dev/vdb", "/dev/vdc"]
    assert block_device.free_name({f"/dev/vd{chr(97 + n)}" for n in range(26)}) == "/dev/vdaa"
    assert block_device.with_names_taken("vdb", {"/dev/vda"}) == "/dev/vdb"
    with pytest.raises(DeviceNameTaken):
        block_device.with_names_taken("/dev/vda", {"/dev/vda"})
