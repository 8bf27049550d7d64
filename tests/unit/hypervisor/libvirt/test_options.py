from dataclasses import replace
from pathlib import Path

import pytest

from kilonova.hypervisor.fake.options import FakeOptions
from kilonova.hypervisor.libvirt.options import (
    DriverOptions,
    GuestDisplayOptions,
    ImageCacheOptions,
    LibvirtOptions,
    StorageOptions,
)
from kilonova.kit.options import from_mapping

PLAIN = DriverOptions(
    host="h",
    address="192.0.2.1",
    state_path=Path("/state"),
    libvirt=LibvirtOptions(),
    vnc=GuestDisplayOptions(),
    storage=StorageOptions(),
)


@pytest.mark.parametrize(
    "section", [LibvirtOptions, GuestDisplayOptions, StorageOptions, ImageCacheOptions, FakeOptions]
)
def test_every_section_loads_from_nova_conf(section: type[object]) -> None:
    oslo = from_mapping({"DEFAULT": {"instances_path": "/i"}, "libvirt": {"snapshots_directory": "/s"}})
    assert oslo.section(section) is not None


def test_paths_follow_the_state_path() -> None:
    assert PLAIN.instances == Path("/state/instances")
    assert PLAIN.base == Path("/state/instances/_base")
    assert PLAIN.snapshots == Path("/state/instances/snapshots")


@pytest.mark.parametrize(
    ("virt_type", "cpu_mode", "result"),
    [("kvm", None, "host-model"), ("qemu", None, "none"), ("qemu", "custom", "custom")],
)
def test_the_cpu_mode_follows_the_virt_type(virt_type: str, cpu_mode: str | None, result: str) -> None:
    chosen = replace(PLAIN, libvirt=LibvirtOptions(virt_type=virt_type, cpu_mode=cpu_mode))
    assert chosen.cpu_mode == result


def test_the_machine_type_is_chosen_per_architecture() -> None:
    assert (PLAIN.machine("x86_64"), PLAIN.machine("aarch64")) == ("pc", "virt")
    chosen = replace(PLAIN, libvirt=LibvirtOptions(hw_machine_type=["x86_64=q35"]))
    assert (chosen.machine("x86_64"), chosen.machine("aarch64")) == ("q35", "virt")
