"""Every value of every body replaced by what nobody expects: never a fault, and nothing half-written."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

RP = "/resource_providers"
STRANGE: list[Any] = [None, -1, 1 << 70, 1.5, "", "x" * 300, "\0", [], {}, [[]], True]
NUMBER = {"total": 8, "reserved": 0, "min_unit": 1, "max_unit": 8, "step_size": 1, "allocation_ratio": 1.0}
SEEN = {"resource_provider_generation": 1}


@pytest.fixture
def cloud(api: Any) -> Any:
    api.provider("cn", {"VCPU": 8})
    assert api.claim("server", {"cn": {"VCPU": 1}}).status_code == 204
    api.ok("PUT", f"{RP}/{api.uid('cn')}/traits", {"resource_provider_generation": 2, "traits": []})
    return api


def requests(api: Any) -> dict[str, tuple[str, str, Any]]:
    """Good requests, which fail only by their generation (so that none changes what the next one finds)."""
    cn, server = api.uid("cn"), api.uid("server")
    claim = {**api.claim_body({"cn": {"VCPU": 1}}, 77), "mappings": {"": [cn]}}
    return {
        "provider": ("POST", RP, {"name": "cn", "uuid": api.uid("new"), "parent_provider_uuid": cn}),
        "rename": ("PUT", f"{RP}/{cn}", {"name": "cn", "parent_provider_uuid": cn}),
        "class": ("POST", "/resource_classes", {"name": "VCPU"}),
        "inventories": ("PUT", f"{RP}/{cn}/inventories", {**SEEN, "inventories": {"VCPU": NUMBER}}),
        "inventory": ("PUT", f"{RP}/{cn}/inventories/VCPU", {**SEEN, **NUMBER}),
        "new inventory": ("POST", f"{RP}/{cn}/inventories", {**SEEN, "resource_class": "VCPU", **NUMBER}),
        "traits": ("PUT", f"{RP}/{cn}/traits", {**SEEN, "traits": ["HW_CPU_X86_AVX2"]}),
        "aggregates": ("PUT", f"{RP}/{cn}/aggregates", {**SEEN, "aggregates": [api.uid("rack")]}),
        "claim": ("PUT", f"/allocations/{server}", claim),
        "claims": ("POST", "/allocations", {server: claim}),
        "reshaper": ("POST", "/reshaper", {"inventories": {cn: {**SEEN, "inventories": {}}}, "allocations": {}}),
    }


def spoiled(body: Any) -> Iterator[Any]:
    """The body with one thing in it replaced, dropped or added."""
    for path in places(body):
        for value in STRANGE:
            changed = copy.deepcopy(body)
            holder = changed
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = value
            yield changed
    yield from STRANGE
    yield {**body, "color": "red"}
    yield from ({k: v for k, v in body.items() if k != gone} for gone in body)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


def state(api: Any) -> Any:
    cn, server = api.uid("cn"), api.uid("server")
    paths = (RP, f"{RP}/{cn}/inventories", f"{RP}/{cn}/traits", f"{RP}/{cn}/aggregates", f"/allocations/{server}")
    return [api.ok("GET", path) for path in paths]


KINDS = [
    *("provider", "rename", "class", "inventories", "inventory", "new inventory"),
    *("traits", "aggregates", "claim", "claims", "reshaper"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_is_a_fault(cloud: Any, kind: str) -> None:
    method, path, good = requests(cloud)[kind]
    before = state(cloud)
    assert 400 <= cloud.call(method, path, good, roles="service,admin").status_code < 500
    for body in spoiled(good):
        reply = cloud.call(method, path, body, roles="service,admin")
        if reply.status_code < 300:
            before = state(cloud)  # some of them are good after all: a name of 100 characters, no parent
            continue
        assert reply.status_code in (400, 409), (body, reply.text)
        assert reply.json["errors"][0]["detail"].split("\n")[-1].strip()
    assert state(cloud) == before
