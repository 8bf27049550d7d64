from collections.abc import Callable

import pytest

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]


def test_a_server_takes_resources_of_a_copy(make_host: MakeHost, make_request: MakeRequest) -> None:
    before = make_host(free_ram_mb=1000, free_disk_mb=20480, pci_free=3, server_uuids=frozenset({"old"}))
    after = before.with_server(make_request(pci_devices=2), "new")
    assert (after.free_ram_mb, after.free_disk_mb, after.vcpus_used) == (488, 10240, 2)
    assert (after.num_instances, after.num_io_ops, after.pci_free) == (1, 1, 1)
    assert after.server_uuids == {"old", "new"}
    assert (before.free_ram_mb, before.num_instances, before.server_uuids) == (1000, 0, {"old"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("free_ram_mb", 300),
        ("memory_mb", 1000),
        ("memory_mb_used", 700),
        ("local_gb", 10),
        ("local_gb_used", 4),
        ("disk_mb_used", 4240),
        ("free_disk_gb", 5),
        ("vcpus", 4),
        ("running_vms", 3),
        ("current_workload", 1),
        ("nodename", "h1"),
        ("hypervisor_hostname", "h1"),
        ("uuid", "rp-h1"),
        ("cell_uuid", "cell1"),
        ("aggregates", ["agg-0"]),
        ("supported_hv_specs", ()),
        ("with_server", None),
        ("server_uuids", None),
        ("__class__", None),
    ],
)
def test_public_attribute_names(name: str, value: object, make_host: MakeHost) -> None:
    host = make_host(
        metadata=({},),
        vcpus_total=4,
        total_usable_ram_mb=1000,
        free_ram_mb=300,
        total_usable_disk_gb=10,
        free_disk_mb=6000,
        num_instances=3,
        num_io_ops=1,
    )
    assert host.attribute(name) == value


def test_metadata_of_all_aggregates_comes_together(make_host: MakeHost) -> None:
    host = make_host(metadata=({"rack": "a, b"}, {"rack": "c"}, {"other": "d"}))
    assert host.metadata_values("rack") == {"a", "b", "c"}
    assert host.metadata_values("none") == set()
