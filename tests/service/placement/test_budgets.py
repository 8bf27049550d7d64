"""How many SQL statements a request may send, whatever the size of the cloud."""

from typing import Any

import pytest


@pytest.fixture
def cloud(api: Any) -> Any:
    for i in range(20):
        api.provider(f"cn{i}", {"VCPU": 8, "MEMORY_MB": 1024, "DISK_GB": 100}, traits=("HW_CPU_X86_AVX2",))
    for i in range(10):
        holds = {f"cn{i}": {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}}
        assert api.claim(f"server{i}", holds).status_code == 204
    return api


def statements(api: Any, *request: Any, **more: Any) -> int:
    with api.database.statements.watch() as seen:
        api.ok(*request, **more)
    return len(seen)


READS = [
    ("/resource_providers", 1),
    ("/resource_providers?resources=VCPU:1&required=HW_CPU_X86_AVX2", 1),
    ("/resource_providers/{cn0}", 1),
    ("/resource_providers/{cn0}/inventories", 2),
    ("/resource_providers/{cn0}/usages", 2),
    ("/resource_providers/{cn0}/traits", 2),
    ("/resource_providers/{cn0}/aggregates", 2),
    ("/resource_providers/{cn0}/allocations", 2),
    ("/allocations/{server0}", 1),
    ("/usages?project_id=project", 2),
    ("/traits", 1),
    ("/resource_classes", 1),
]
CANDIDATES = [
    "resources=VCPU:1,MEMORY_MB:1,DISK_GB:1&limit=1000",
    "resources=VCPU:1&required=HW_CPU_X86_AVX2&limit=5",
    "resources=VCPU:1",
    "resources1=VCPU:1,DISK_GB:1&resources=MEMORY_MB:1&required1=!HW_CPU_X86_AVX2",
]


@pytest.mark.parametrize(("path", "budget"), READS)
def test_reads(cloud: Any, path: str, budget: int) -> None:
    for name in ("cn0", "server0"):
        path = path.replace("{" + name + "}", cloud.uid(name))
    assert statements(cloud, "GET", path) == budget


@pytest.mark.parametrize("query", CANDIDATES)
def test_candidates(cloud: Any, query: str) -> None:
    """First: what is rare, who fits, what they are like; then who fits, and only providers that changed."""
    path = f"/allocation_candidates?{query}"
    none = "!" in query  # every provider has the trait that must not be there
    assert statements(cloud, "GET", path) == (2 if none else 3)
    assert statements(cloud, "GET", path) == 1
    assert cloud.claim("another", {"cn1": {"VCPU": 1}}).status_code == 204
    assert statements(cloud, "GET", path) == (1 if none else 2)


def test_a_claim(cloud: Any) -> None:
    holds = {"cn1": {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}, "cn2": {"VCPU": 1}}
    path = f"/allocations/{cloud.uid('new')}"
    assert statements(cloud, "PUT", path, cloud.claim_body(holds)) == 4
    assert statements(cloud, "PUT", path, cloud.claim_body({"cn2": {"VCPU": 2}}, 1)) == 7
    assert statements(cloud, "DELETE", path) == 6


@pytest.mark.parametrize("hosts", [10, 20])
def test_many_claims_at_once(cloud: Any, hosts: int) -> None:
    body = {cloud.uid(f"m{i}"): cloud.claim_body({f"cn{i}": {"VCPU": 1, "DISK_GB": 1}}) for i in range(hosts)}
    assert statements(cloud, "POST", "/allocations", body) == 7
