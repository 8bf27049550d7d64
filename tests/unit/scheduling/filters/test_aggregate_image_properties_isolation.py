from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.filters.aggregate_image_properties_isolation import AggregateImagePropertiesIsolation
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ImageFacts, ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("metadata", "properties", "namespace", "passes"),
    [
        ({}, {"os_distro": "debian"}, None, True),
        ({"os_distro": "debian"}, {"os_distro": "debian"}, None, True),
        ({"os_distro": "debian, fedora"}, {"os_distro": "fedora"}, None, True),
        ({"os_distro": "debian"}, {"os_distro": "fedora"}, None, False),
        ({"os_distro": "debian"}, {}, None, True),
        ({"os_distro": "debian"}, {"os_distro": None}, None, True),
        ({"rack": "1"}, {"os_distro": "fedora"}, None, True),
        ({"hw_cpu_cores": "2"}, {"hw_cpu_cores": 2}, None, True),
        ({"os_distro": "debian"}, {"os_distro": "fedora"}, "tied", True),
        ({"tied.os": "a"}, {"tied.os": "b"}, "tied", False),
    ],
)
def test_shared_keys_must_agree(
    *,
    metadata: dict[str, str],
    properties: dict[str, Any],
    namespace: str | None,
    passes: bool,
    make_host: MakeHost,
    make_request: MakeRequest,
    judge: Judge,
) -> None:
    options = FilterOptions(aggregate_image_properties_isolation_namespace=namespace)
    request = make_request(image=ImageFacts(properties=properties))
    host = make_host(metadata=(metadata,))
    assert judge(AggregateImagePropertiesIsolation(), host, request, options=options) is passes
