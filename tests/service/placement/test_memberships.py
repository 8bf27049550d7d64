"""Traits and aggregates of providers."""

from typing import Any

import pytest


@pytest.fixture
def path(api: Any) -> str:
    return str(api.provider("cn"))


def test_traits(api: Any, path: str) -> None:
    wanted = {"resource_provider_generation": 0, "traits": ["STORAGE_DISK_SSD", "HW_CPU_X86_AVX2"]}
    shown = {"resource_provider_generation": 1, "traits": ["HW_CPU_X86_AVX2", "STORAGE_DISK_SSD"]}
    assert api.ok("PUT", f"{path}/traits", wanted) == shown
    assert api.ok("GET", f"{path}/traits") == shown
    assert api.refused(409, "generation", "PUT", f"{path}/traits", wanted) == "placement.concurrent_update"
    assert api.call("DELETE", f"{path}/traits").status_code == 204
    assert api.ok("GET", f"{path}/traits") == {"resource_provider_generation": 2, "traits": []}


BAD_TRAITS = [
    ({"traits": []}, "resource_provider_generation"),
    ({"resource_provider_generation": 0}, "traits"),
    ({"resource_provider_generation": 0, "traits": ["CUSTOM_NONE"]}, "CUSTOM_NONE"),
    ({"resource_provider_generation": 0, "traits": ["lower"]}, "traits/0"),
    ({"resource_provider_generation": "0", "traits": []}, "resource_provider_generation"),
]


@pytest.mark.parametrize(("body", "words"), BAD_TRAITS)
def test_bad_traits(api: Any, path: str, body: Any, words: str) -> None:
    api.refused(400, words, "PUT", f"{path}/traits", body)
    assert api.generation("cn") == 0


def test_aggregates_with_generation(api: Any, path: str) -> None:
    east, west = sorted((api.uid("east"), api.uid("west")))
    wanted = {"resource_provider_generation": 0, "aggregates": [west, east]}
    shown = {"resource_provider_generation": 1, "aggregates": [east, west]}
    assert api.ok("PUT", f"{path}/aggregates", wanted) == shown
    assert api.ok("GET", f"{path}/aggregates") == shown
    assert api.refused(409, "generation", "PUT", f"{path}/aggregates", wanted) == "placement.concurrent_update"
    api.ok("PUT", f"{path}/aggregates", {"resource_provider_generation": 1, "aggregates": [west]})
    assert api.ok("GET", f"{path}/aggregates", version="1.18") == {"aggregates": [west]}


def test_aggregates_before_1_19_are_a_list(api: Any, path: str) -> None:
    east = api.uid("east")
    assert api.ok("PUT", f"{path}/aggregates", [east], version="1.18") == {"aggregates": [east]}
    assert api.generation("cn") == 0
    assert api.ok("PUT", f"{path}/aggregates", [], version="1.1") == {"aggregates": []}
    for version, body in (("1.18", {"aggregates": []}), ("1.19", [east]), ("1.18", ["x"]), ("1.18", [east, east])):
        assert api.call("PUT", f"{path}/aggregates", body, version=version).status_code == 400


def test_the_same_traits_again_change_nothing(api: Any, path: str) -> None:
    twice = ["HW_CPU_X86_AVX2"] * 2
    for seen, now in ((0, 1), (1, 1)):
        body = {"resource_provider_generation": seen, "traits": twice}
        answer = api.ok("PUT", f"{path}/traits", body)
        assert answer == {"traits": ["HW_CPU_X86_AVX2"], "resource_provider_generation": now}
    stale = {"resource_provider_generation": 0, "traits": twice}
    assert api.refused(409, "generation", "PUT", f"{path}/traits", stale) == "placement.concurrent_update"
    api.ok("DELETE", f"{path}/traits")
    api.ok("DELETE", f"{path}/traits")
    assert api.generation("cn") == 2
