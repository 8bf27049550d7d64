from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.aggregate_instance_extra_specs import AggregateInstanceExtraSpecsFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("specs", "passes"),
    [
        ({}, True),
        ({"aggregate_instance_extra_specs:ssd": "true"}, True),
        ({"aggregate_instance_extra_specs:ssd": "false"}, False),
        ({"ssd": "true"}, True),
        ({"ssd": "s== true"}, True),
        ({"aggregate_instance_extra_specs:rack": "b"}, True),
        ({"aggregate_instance_extra_specs:rack": "<or> c <or> b"}, True),
        ({"aggregate_instance_extra_specs:rack": "c"}, False),
        ({"aggregate_instance_extra_specs:generation": ">= 3"}, True),
        ({"aggregate_instance_extra_specs:generation": ">= 5"}, False),
        ({"aggregate_instance_extra_specs:missing": "x"}, False),
        ({"capabilities:ssd": "false", "hw:cpu_policy": "dedicated", "group_policy": "none"}, True),
    ],
)
def test_aggregate_metadata_must_satisfy_each(
    specs: dict[str, str], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(metadata=({"ssd": "true", "rack": "a, b"}, {"generation": "4"}))
    assert judge(AggregateInstanceExtraSpecsFilter(), host, make_request(extra_specs=specs)) is passes


def test_a_host_in_no_aggregate_satisfies_none(make_host: MakeHost, make_request: MakeRequest, judge: Judge) -> None:
    request = make_request(extra_specs={"aggregate_instance_extra_specs:ssd": "true"})
    assert not judge(AggregateInstanceExtraSpecsFilter(), make_host(), request)
