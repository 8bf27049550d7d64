"""Inventories: records, generations, and what may not be removed."""

from typing import Any

import pytest

FULL = {"total": 8, "reserved": 1, "min_unit": 1, "max_unit": 4, "step_size": 1, "allocation_ratio": 2.5}
DEFAULTS = {"reserved": 0, "min_unit": 1, "max_unit": 2147483647, "step_size": 1, "allocation_ratio": 1.0}


@pytest.fixture
def path(api: Any) -> str:
    return str(api.provider("cn")) + "/inventories"


def body(generation: int = 0, **inventories: Any) -> dict[str, Any]:
    return {"resource_provider_generation": generation, "inventories": inventories}


def test_replace_show_and_remove(api: Any, path: str) -> None:
    answer = api.ok("PUT", path, body(VCPU=FULL, DISK_GB={"total": 10}))
    assert answer == body(1, DISK_GB={"total": 10, **DEFAULTS}, VCPU=FULL)
    assert api.ok("GET", path) == answer
    assert api.ok("GET", f"{path}/VCPU") == {"resource_provider_generation": 1, **FULL}
    api.ok("PUT", path, body(1, DISK_GB={"total": 11}))
    api.refused(404, "VCPU", "GET", f"{path}/VCPU")
    assert api.call("DELETE", f"{path}/DISK_GB").status_code == 204
    assert api.ok("GET", path) == body(3)
    api.refused(404, "DISK_GB", "DELETE", f"{path}/DISK_GB")


def test_one_at_a_time(api: Any, path: str) -> None:
    reply = api.call("POST", path, {"resource_class": "VCPU", **FULL})
    assert (reply.status_code, reply.json) == (201, {"resource_provider_generation": 1, **FULL})
    assert reply.headers["location"].endswith(f"{path}/VCPU")
    api.refused(409, "already exists", "POST", path, {"resource_class": "VCPU", "total": 1})
    changed = api.ok("PUT", f"{path}/VCPU", {"resource_provider_generation": 1, "total": 5})
    assert changed == {"resource_provider_generation": 2, "total": 5, **DEFAULTS}
    api.refused(400, "MEMORY_MB", "PUT", f"{path}/MEMORY_MB", {"resource_provider_generation": 2, "total": 5})
    assert api.ok("GET", path)["resource_provider_generation"] == 2


@pytest.mark.parametrize(
    ("method", "tail", "rest"),
    [
        ("PUT", "", {"inventories": {}}),
        ("PUT", "/VCPU", {"total": 1}),
        ("POST", "", {"resource_class": "DISK_GB", "total": 1}),
    ],
)
def test_stale_generation(api: Any, path: str, method: str, tail: str, rest: dict[str, Any]) -> None:
    api.ok("PUT", path, body(VCPU=FULL))
    stale = {"resource_provider_generation": 0, **rest}
    assert api.refused(409, "generation", method, path + tail, stale) == "placement.concurrent_update"
    assert api.ok("GET", path) == body(1, VCPU=FULL)


def test_what_is_used_stays(api: Any, path: str) -> None:
    api.ok("PUT", path, body(VCPU=FULL, DISK_GB={"total": 10}))
    api.claim("server", {"cn": {"VCPU": 3}})
    seen = api.generation("cn")
    for request in (("PUT", path, body(seen)), ("DELETE", f"{path}/VCPU"), ("DELETE", path)):
        assert api.refused(409, "VCPU", *request) == "placement.inventory.inuse"
    assert set(api.ok("GET", path)["inventories"]) == {"VCPU", "DISK_GB"}
    shrunk = {"total": 2}
    api.ok("PUT", path, body(seen, VCPU=shrunk))  # less than is used may be said; only new claims are refused
    assert api.used("cn") == {"VCPU": 3}
    assert api.claim("other", {"cn": {"VCPU": 1}}).status_code == 409
    assert api.claim("server", {"cn": {"VCPU": 2}}, 1).status_code == 204


def test_clear(api: Any, path: str) -> None:
    api.ok("PUT", path, body(VCPU=FULL))
    reply = api.call("DELETE", path, version="1.4")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST, PUT")
    assert api.call("DELETE", path, version="1.5").status_code == 204
    assert api.ok("GET", path) == body(2)


RESERVED = [("1.25", 7, 200), ("1.25", 8, 400), ("1.26", 8, 200), ("1.26", 9, 400)]


@pytest.mark.parametrize(("version", "reserved", "status"), RESERVED)
def test_reserved_against_total(api: Any, path: str, version: str, reserved: int, status: int) -> None:
    record = {"total": 8, "reserved": reserved}
    assert api.call("PUT", path, body(VCPU=record), version=version).status_code == status


BAD = [
    ({"VCPU": {}}, "total"),
    ({"VCPU": {"total": 0}}, "total"),
    ({"VCPU": {"total": 2147483648}}, "total"),
    ({"VCPU": {"total": 10**30}}, "total"),
    ({"VCPU": {"total": "8"}}, "total"),
    ({"VCPU": {"total": True}}, "total"),
    ({"VCPU": {"total": 8, "step_size": 0}}, "step_size"),
    ({"VCPU": {"total": 8, "min_unit": 0}}, "min_unit"),
    ({"VCPU": {"total": 8, "reserved": -1}}, "reserved"),
    ({"VCPU": {"total": 8, "allocation_ratio": 1e39}}, "allocation_ratio"),
    ({"VCPU": {"total": 8, "colour": 1}}, "colour"),
    ({"vcpu": {"total": 8}}, "vcpu"),
    ({"CUSTOM_NONE": {"total": 8}}, "CUSTOM_NONE"),
]


@pytest.mark.parametrize(("inventories", "words"), BAD)
def test_bad_records(api: Any, path: str, inventories: dict[str, Any], words: str) -> None:
    api.refused(400, words, "PUT", path, body(**inventories))
    assert api.ok("GET", path) == body(0)


def test_unknown_provider(api: Any) -> None:
    for method, tail, request in (
        ("GET", "inventories", None),
        ("PUT", "inventories", body()),
        ("GET", "inventories/VCPU", None),
        ("GET", "usages", None),
        ("DELETE", "inventories", None),
    ):
        for uuid in (api.uid("nobody"), "not-a-uuid"):
            code = api.refused(404, uuid, method, f"/resource_providers/{uuid}/{tail}", request)
            assert code == "placement.undefined_code"
