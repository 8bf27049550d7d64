from collections.abc import Callable

import pytest

from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.options import FilterOptions
from kilonova.scheduling.request import ImageFacts, ServerRequest
from kilonova.scheduling.weighers.image_properties import ImagePropertiesWeigher

MakeHost = Callable[..., HostState]
MakeRequest = Callable[..., ServerRequest]
Order = Callable[..., list[float]]

HOT = {("os_distro", "debian"): 3, ("hw_cpu_cores", "2"): 1}
IMAGE = ImageFacts(properties={"os_distro": "debian", "hw_cpu_cores": 2})


@pytest.mark.parametrize(
    ("setting", "weights"),
    [([], [1.0, 0.0, 0.5]), (["hw_cpu_cores=2"], [1.0, 0.0, 0.0]), (["os_type=1"], [0.0, 0.0, 0.0])],
)
def test_like_images_gather(
    setting: list[str], weights: list[float], make_host: MakeHost, make_request: MakeRequest, order: Order
) -> None:
    hosts = [make_host(image_props=HOT), make_host(), make_host(image_props={("os_distro", "debian"): 2})]
    options = FilterOptions(image_props_weight_multiplier=1.0, image_props_weight_setting=setting)
    assert order(ImagePropertiesWeigher(), hosts, make_request(image=IMAGE), options=options) == weights


def test_off_by_default_and_without_image(make_host: MakeHost, make_request: MakeRequest, order: Order) -> None:
    hosts = [make_host(image_props=HOT), make_host()]
    assert order(ImagePropertiesWeigher(), hosts, make_request(image=IMAGE)) == [0.0, 0.0]
    on = FilterOptions(image_props_weight_multiplier=1.0)
    assert order(ImagePropertiesWeigher(), hosts, make_request(), options=on) == [0.0, 0.0]
