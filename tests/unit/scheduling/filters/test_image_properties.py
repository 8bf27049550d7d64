from collections.abc import Callable
from typing import Any

import pytest

from kilonova.scheduling.filters.image_properties import ImagePropertiesFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ImageFacts, ServerRequest

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Judge = Callable[..., bool]

OFFERS = (("x86_64", "kvm", "hvm"), ("i686", "qemu", "hvm"))


@pytest.mark.parametrize(
    ("properties", "passes"),
    [
        ({}, True),
        ({"os_distro": "debian"}, True),
        ({"hw_architecture": "x86_64"}, True),
        ({"hw_architecture": "AMD64"}, True),
        ({"architecture": "i386"}, True),
        ({"hw_architecture": "aarch64"}, False),
        ({"img_hv_type": "kvm", "hw_vm_mode": "hvm"}, True),
        ({"img_hv_type": "xen"}, False),
        ({"hw_vm_mode": "hv"}, True),
        ({"hw_vm_mode": "pv"}, False),
        ({"hw_architecture": "x86_64", "img_hv_type": "qemu"}, False),
        ({"img_hv_requested_version": ">=6.2,<7"}, True),
        ({"img_hv_requested_version": [">=6.2", "<7"]}, True),
        ({"img_hv_requested_version": "==6.2.1"}, True),
        ({"img_hv_requested_version": "!=6.2.1"}, False),
        ({"img_hv_requested_version": ">6.2.1"}, False),
        ({"img_hv_requested_version": "<=6.2"}, False),
        ({"hypervisor_version_requires": ">7"}, False),
        ({"img_hv_requested_version": "new"}, False),
    ],
)
def test_one_combination_of_the_host_must_fit(
    properties: dict[str, Any], passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    host = make_host(supported_instances=OFFERS, hypervisor_version=6002001)
    request = make_request(image=ImageFacts("i", "qcow2", properties))
    assert judge(ImagePropertiesFilter(), host, request) is passes


@pytest.mark.parametrize(("default", "passes"), [(None, True), ("x86_64", True), ("aarch64", False)])
def test_an_image_without_architecture_has_the_configured_one(
    default: str | None, passes: bool, make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    options = FilterOptions(image_properties_default_architecture=default)
    host = make_host(supported_instances=OFFERS)
    assert judge(ImagePropertiesFilter(), host, make_request(), options=options) is passes


def test_a_host_that_reports_nothing_fits_only_images_that_ask_nothing(
    make_host: MakeHost, make_request: MakeRequest, judge: Judge
) -> None:
    asking = make_request(image=ImageFacts(properties={"hw_architecture": "x86_64"}))
    assert not judge(ImagePropertiesFilter(), make_host(), asking)
    assert judge(ImagePropertiesFilter(), make_host(), make_request(image=ImageFacts()))
