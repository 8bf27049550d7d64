from collections.abc import Callable

import pytest

from kilonova.scheduling.filters.isolated_hosts import IsolatedHostsFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ImageFacts, ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]


@pytest.mark.parametrize(
    ("image", "host", "restrict", "passes"),
    [
        ("tied", "kept", True, True),
        ("tied", "free", True, False),
        ("other", "kept", True, False),
        ("other", "free", True, True),
        (None, "kept", True, False),
        ("tied", "free", False, False),
        ("other", "kept", False, True),
        (None, "free", False, True),
    ],
)
def test_isolated_images_and_hosts_belong_together(
    *,
    image: str | None,
    host: str,
    restrict: bool,
    passes: bool,
    make_host: MakeHost,
    make_request: MakeRequest,
    judge: Judge,
) -> None:
    options = FilterOptions(
        isolated_images=["tied"], isolated_hosts=["kept"], restrict_isolated_hosts_to_isolated_images=restrict
    )
    request = make_request(image=ImageFacts(image) if image else None)
    assert judge(IsolatedHostsFilter(), make_host(host), request, options=options) is passes
