from collections.abc import Callable

import pytest

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.compute_capabilities import ComputeCapabilitiesFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("specs", "passes"),
    [
        ({}, True),
        ({"capabilities:hypervisor_type": "QEMU"}, True),
        ({"capabilities:hypervisor_type": "xen"}, False),
        ({"hypervisor_type": "QEMU"}, True),
        ({"hypervisor_type": "xen"}, False),
        ({"capabilities:vcpus": ">= 8"}, True),
        ({"capabilities:vcpus": ">= 9"}, False),
        ({"capabilities:free_disk_gb": "== 3"}, True),
        ({"capabilities:cpu_info:features": "<in> avx2"}, True),
        ({"capabilities:cpu_info:features": "<all-in> avx2 sse"}, True),
        ({"capabilities:cpu_info:features": "<all-in> avx2 avx512"}, False),
        ({"capabilities:cpu_info:topology:cores": "4"}, True),
        ({"capabilities:stats:gpu:model": "T4"}, True),
        ({"capabilities:stats:broken:model": "T4"}, False),
        ({"capabilities:no_such_fact": "1"}, False),
        ({"capabilities:server_uuids": "x"}, False),
        ({"no_such_fact": "1"}, True),
        ({"hw:cpu_policy": "dedicated", "resources:VCPU": "1", "group_policy": "none"}, True),
        ({"hide_hypervisor_id": "true", "aggregate_instance_extra_specs:ssd": "true"}, True),
    ],
)
def test_extra_specs_are_compared_with_the_host(
    specs: dict[str, str], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(
        hypervisor_type="QEMU",
        vcpus_total=8,
        free_disk_mb=3500,
        cpu_info={"features": ["avx2", "sse"], "topology": {"cores": 4}},
        stats={"gpu": '{"model": "T4"}', "broken": "{"},
    )
    assert judge(ComputeCapabilitiesFilter(), host, make_request(extra_specs=specs)) is passes


def test_the_operator_reads_both_values(make_host: MakeHost, make_request: MakeRequest) -> None:
    request = make_request(extra_specs={"capabilities:vcpus": ">= 9", "capabilities:host": "h1"})
    text = ComputeCapabilitiesFilter().reason(make_host(vcpus_total=8), request, SelectionContext())
    assert text == "vcpus is 8, wanted '>= 9'"
