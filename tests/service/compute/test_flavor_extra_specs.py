from typing import Any

import pytest
from tests.service.compute.harness import Api

SPECS = "/flavors/a/os-extra_specs"


@pytest.fixture(autouse=True)
def flavor(api: Api) -> None:
    api.post("/flavors", {"flavor": {"name": "a", "id": "a", "ram": 1, "vcpus": 1, "disk": 1}})


def test_specs_merge_change_and_go(api: Api) -> None:
    assert api.post(SPECS, {"extra_specs": {"a": "1", "b": 2}}) == {"extra_specs": {"a": "1", "b": "2"}}
    api.post(SPECS, {"extra_specs": {"c": "3"}})
    assert api.put(f"{SPECS}/a", {"a": "x"}) == {"a": "x"}
    assert api.get(SPECS) == {"extra_specs": {"a": "x", "b": "2", "c": "3"}}
    api.delete(f"{SPECS}/b", status=200)
    assert api.get(f"{SPECS}/a") == {"a": "x"}
    api.get(f"{SPECS}/b", status=404)
    api.delete(f"{SPECS}/b", status=404)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"a": "x"}, "/b"),
        ({"a": "x", "b": "y"}, "/a"),
        ({}, "/a"),
        ({"a": None}, "/a"),
        ({"a": "x" * 256}, "/a"),
        ({"ä": "x"}, "/ä"),
    ],
)
def test_bad_input(api: Api, body: dict[str, Any], path: str) -> None:
    api.put(SPECS + path, body, status=400)


@pytest.mark.parametrize(
    ("key", "value"), [("hw:numa_nodes", "0"), ("hw:cpu_policy", "none"), ("hw:unknown", "1"), ("trait:X", "maybe")]
)
def test_known_namespaces_are_checked_from_2_86(api: Api, key: str, value: str) -> None:
    assert key in api.post(SPECS, {"extra_specs": {key: value}}, "2.86", status=400)["badRequest"]["message"]
    assert api.get(SPECS) == {"extra_specs": {}}
    api.post(SPECS, {"extra_specs": {key: value}}, "2.85")


def test_missing_flavor_and_readers(api: Api) -> None:
    api.post("/flavors/none/os-extra_specs", {"extra_specs": {"a": "1"}}, status=404)
    member = api.member()
    assert member.get(SPECS) == {"extra_specs": {}}
    member.post(SPECS, {"extra_specs": {"a": "1"}}, status=403)
    member.put(f"{SPECS}/a", {"a": "1"}, status=403)
    member.delete(f"{SPECS}/a", status=403)
