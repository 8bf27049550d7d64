from typing import Any

import pytest
from tests.service.compute.harness import Api, add_server

from kilonova.domain.quota import QuotaOptions
from kilonova.store import server_mappings

PATH = "/os-server-groups"


def old(policy: str = "affinity", name: str = "g") -> dict[str, Any]:
    return {"server_group": {"name": name, "policies": [policy]}}


def new(policy: str, **more: Any) -> dict[str, Any]:
    return {"server_group": {"name": "g", "policy": policy, **more}}


def make(api: Api, body: dict[str, Any] | None = None, version: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = api.post(PATH, body or old(), version)["server_group"]
    return made


@pytest.mark.parametrize(
    ("body", "version", "status"),
    [
        (old("affinity"), "2.1", 200),
        (old("soft-affinity"), "2.14", 400),
        (old("soft-affinity"), "2.15", 200),
        (old("affinity"), "2.64", 400),
        (new("affinity"), "2.63", 400),
        (new("soft-anti-affinity"), "2.64", 200),
        (new("anti-affinity", rules={"max_server_per_host": 3}), "2.64", 200),
        (new("anti-affinity", rules={"max_server_per_host": 0}), "2.64", 400),
        (new("anti-affinity", rules={"unknown": 3}), "2.64", 400),
        (new("affinity", rules={"max_server_per_host": 3}), "2.64", 400),
        (new("nonsense"), "2.64", 400),
        ({"server_group": {"name": "g", "policies": []}}, "2.1", 400),
        ({"server_group": {"name": "g", "policies": ["affinity", "anti-affinity"]}}, "2.15", 400),
        (old(name=""), "2.1", 400),
    ],
)
def test_policies_by_version(api: Api, body: dict[str, Any], version: str, status: int) -> None:
    api.post(PATH, body, version, status=status)
    assert len(api.get(PATH)["server_groups"]) == (status == 200)


def test_show_and_delete(api: Api) -> None:
    made = make(api)
    assert api.get(f"{PATH}/{made['id']}")["server_group"] == made
    api.delete(f"{PATH}/{made['id']}")
    api.get(f"{PATH}/{made['id']}", status=404)
    api.delete(f"{PATH}/{made['id']}", status=404)


def test_members_are_the_living_servers(api: Api) -> None:
    group = make(api)["id"]
    uuids = [add_server(api.compute.store, "h", group=group) for _ in range(2)]
    assert sorted(api.get(f"{PATH}/{group}")["server_group"]["members"]) == sorted(uuids)
    with api.compute.store.api.write() as connection:
        server_mappings.release(connection, uuids[0])
    assert api.get(PATH)["server_groups"][0]["members"] == [uuids[1]]


def test_lists_are_of_the_project_unless_an_admin_asks(api: Api) -> None:
    make(api)
    other = api.member(project="22")
    make(other, old(name="theirs"))
    assert [g["name"] for g in api.get(PATH)["server_groups"]] == ["g"]
    assert [g["name"] for g in api.get(f"{PATH}?all_projects")["server_groups"]] == ["g", "theirs"]
    assert [g["name"] for g in other.get(f"{PATH}?all_projects=1")["server_groups"]] == ["theirs"]


def test_others_may_not_see_or_delete(api: Api) -> None:
    group, other = make(api)["id"], api.member(project="22")
    other.get(f"{PATH}/{group}", status=403)
    other.delete(f"{PATH}/{group}", status=403)


def test_limit_and_offset(api: Api) -> None:
    for name in "abc":
        make(api, old(name=name))
    assert [g["name"] for g in api.get(f"{PATH}?limit=1&offset=1")["server_groups"]] == ["b"]
    assert [g["name"] for g in api.get(f"{PATH}?offset=1")["server_groups"]] == ["b", "c"]
    api.get(f"{PATH}?offset=x", status=400)
    api.get(f"{PATH}?unknown=1", "2.75", status=400)


def test_quota_is_enforced_and_named(api: Api) -> None:
    object.__setattr__(api.compute, "quota", QuotaOptions(server_groups=1))
    make(api)
    assert "server_groups" in api.post(PATH, old(), status=403)["forbidden"]["message"]


def test_list_takes_two_statements(api: Api) -> None:
    for name in "abcd":
        add_server(api.compute.store, "h", group=make(api, old(name=name))["id"])
    with api.compute.store.api.statements.watch() as seen:
        api.get(PATH)
    assert len(seen) == 2
