"""Replies have the keys of the published samples, at both ends of each stretch of microversions.

``shapes.json`` holds the samples' keys: method, path, action, first and last version, and the tree of keys.
Null stands for a value, or for an object with free keys.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.compute.harness import PROJECT, Api, add_host, add_server, add_service, api_over, open_store

from kilonova.api.wiring import Compute
from kilonova.domain.quota import QuotaOptions
from kilonova.kit.clock import ManualClock

_SHAPES = json.loads((Path(__file__).parent / "shapes.json").read_text())
_CASES = [
    pytest.param(entry, version, id=f"{entry['sample']}@{version}")
    for entry in _SHAPES
    for version in dict.fromkeys((entry["since"], entry["until"]))
]
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd someone@somewhere"


def _minor(version: str) -> int:
    return int(version.split(".")[1])


@dataclasses.dataclass(frozen=True)
class World:
    """One of everything."""

    folder: Path
    names: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> World:
    folder = tmp_path_factory.mktemp("world")
    store = open_store(empty, folder)
    api = api_over(Compute(store=store, clock=ManualClock(), quota=QuotaOptions()))
    flavor = {"name": "private", "id": "1", "ram": 1, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": False}
    api.post("/flavors", {"flavor": flavor})
    api.post("/flavors", {"flavor": {"name": "m1", "id": "10", "ram": 1, "vcpus": 1, "disk": 1}})
    api.post("/flavors/1/action", {"addTenantAccess": {"tenant": PROJECT}})
    api.post("/flavors/1/action", {"addTenantAccess": {"tenant": "other"}})
    api.post("/flavors/1/os-extra_specs", {"extra_specs": {"hw:numa_nodes": "1"}})
    api.post("/os-keypairs", {"keypair": {"name": "key", "public_key": _PUBLIC_KEY}})
    for host in ("busy", "idle"):
        add_host(store, host)
    add_service(store, "controller", "nova-scheduler")
    add_server(store, "busy")
    api.post("/os-aggregates", {"aggregate": {"name": "zone", "availability_zone": "london"}})
    api.post("/os-aggregates/1/action", {"add_host": {"host": "idle"}})
    group = api.post("/os-server-groups", {"server_group": {"name": "g", "policies": ["anti-affinity"]}})
    names = {
        "alias": "os-agents",
        "flavor_id": "1",
        "flavor_extra_spec_key": "hw:numa_nodes",
        "keypair_name": "key",
        "user_id": "admin",
        "tenant_id": PROJECT,
        "id": "default",
        "aggregate_id": "1",
        "node": "busy",
        "idle": "idle",
        "hypervisor_hostname_pattern": "busy",
        "server_group_id": group["server_group"]["id"],
        "old_hypervisor_id": str(api.get("/os-hypervisors")["hypervisors"][0]["id"]),
        "new_hypervisor_id": api.get("/os-hypervisors", "2.53")["hypervisors"][0]["id"],
        "service_id": api.get("/os-services?host=busy", "2.53")["services"][0]["id"],
    }
    store.dispose()
    return World(folder, names)


@pytest.fixture
def caller(world: World, tmp_path: Path) -> Iterator[Api]:
    store = open_store(world.folder, tmp_path)
    yield api_over(Compute(store=store, clock=ManualClock(), quota=QuotaOptions()))
    store.dispose()


def _body(sample: str, version: str) -> Any:
    """The request that the sample answers."""
    minor = _minor(version)
    flavor = {"name": "new", "ram": 1024, "vcpus": 2, "disk": 10, "id": "20"}
    named = {"host": "busy", "binary": "nova-compute"}
    bodies: dict[str, Any] = {
        "flavor-access-add-tenant": {"addTenantAccess": {"tenant": "third"}},
        "flavor-access-remove-tenant": {"removeTenantAccess": {"tenant": "other"}},
        "flavor-extra-specs-create": {"extra_specs": {"hw:cpu_policy": "shared", "hw:numa_nodes": "1"}},
        "flavor-extra-specs-update": {"hw:numa_nodes": "2"},
        "flavor-create-post": {"flavor": flavor},
        "flavor-update": {"flavor": {"description": "updated"}},
        "aggregate-post": {"aggregate": {"name": "new", "availability_zone": "paris"}},
        "aggregate-update-post": {"aggregate": {"name": "newname", "availability_zone": "nova2"}},
        "aggregates-add-host-post": {"add_host": {"host": "busy"}},
        "aggregates-remove-host-post": {"remove_host": {"host": "idle"}},
        "aggregates-metadata-post": {"set_metadata": {"metadata": {"key": "value"}}},
        "keypairs-post": {"keypair": {"name": "new"}},
        "keypairs-import-post": {"keypair": {"name": "new", "public_key": _PUBLIC_KEY}},
        "quota-classes-update-post": {"quota_class_set": {"cores": 50}},
        "quotas-update-post": {"quota_set": {"cores": 45}},
        "quotas-update-force-post": {"quota_set": {"force": "True", "instances": 45}},
        "user-quotas-update-post": {"quota_set": {"force": "True", "instances": 9}},
        "server-groups-post": {"server_group": {"name": "new", "policies": ["affinity"]}},
        "service-disable-log-put": {**named, "disabled_reason": "test"},
        "service-disable-put": named,
        "service-enable-put": named,
        "service-force-down-put": {**named, "forced_down": True},
    }
    if minor >= 53:
        bodies |= {
            "service-disable-log-put": {"status": "disabled", "disabled_reason": "maintenance"},
            "service-disable-put": {"status": "disabled"},
            "service-enable-put": {"status": "enabled"},
            "service-force-down-put": {"forced_down": True},
        }
    if minor >= 64:
        rules = {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}}
        bodies["server-groups-post"] = {"server_group": {"name": "new", **rules}}
    return bodies[sample.rsplit("/", 1)[-1]]


def _prepare(api: Api, sample: str) -> None:
    """Some samples show a host that can change its zone: one without servers."""
    if "aggregates-add-host" in sample:
        api.post("/os-aggregates/1/action", {"set_metadata": {"metadata": {"availability_zone": None}}})


def _differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict) and expected:
        if not isinstance(actual, dict):
            return [f"{where}: {actual!r} is no object"]
        found = [f"{where}: missing {key}" for key in sorted(set(expected) - set(actual))]
        found += [f"{where}: unexpected {key}" for key in sorted(set(actual) - set(expected))]
        for key in set(expected) & set(actual):
            found += _differences(expected[key], actual[key], f"{where}/{key}")
        return found
    if isinstance(expected, list):
        if not isinstance(actual, list) or (expected and not actual):
            return [f"{where}: {actual!r} is no filled list"]
        return [d for item in actual for d in _differences(expected[0], item, f"{where}[]")] if expected else []
    return []


@pytest.mark.parametrize(("entry", "version"), _CASES)
def test_keys_are_those_of_the_sample(entry: dict[str, Any], version: str, caller: Api, world: World) -> None:
    age = "new" if _minor(version) >= 53 else "old"
    names = {**world.names, "hypervisor_id": world.names[f"{age}_hypervisor_id"]}
    _prepare(caller, entry["sample"])
    body = None if entry["method"] == "GET" else _body(entry["sample"], version)
    result = caller.call(entry["method"], entry["path"].format(**names), version, body)
    assert result.status_code in (200, 201), result.text
    assert _differences(entry["shape"], result.json) == []
