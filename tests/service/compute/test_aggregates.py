from typing import Any

import pytest
from tests.service.compute.fake_placement import FakePlacement
from tests.service.compute.harness import Api, add_host, add_server

PATH = "/os-aggregates"


@pytest.fixture(autouse=True)
def placement(api: Api) -> FakePlacement:
    for host in ("h1", "h2"):
        add_host(api.compute.store, host)
    fake = FakePlacement()
    object.__setattr__(api.compute, "resources", fake)
    return fake


def make(api: Api, name: str, zone: str | None = None) -> int:
    given = {"name": name} if zone is None else {"name": name, "availability_zone": zone}
    return int(api.post(PATH, {"aggregate": given})["aggregate"]["id"])


def act(api: Api, ident: Any, action: str, *, status: int = 200, **argument: Any) -> Any:
    return api.post(f"{PATH}/{ident}/action", {action: argument}, status=status)


def test_the_zone_is_metadata(api: Api) -> None:
    ident = make(api, "a", "paris")
    assert api.get(f"{PATH}/{ident}")["aggregate"]["metadata"] == {"availability_zone": "paris"}
    found = api.put(f"{PATH}/{ident}", {"aggregate": {"availability_zone": None}})["aggregate"]
    assert (found["availability_zone"], found["metadata"]) == (None, {})


def test_metadata_merges_and_null_removes(api: Api) -> None:
    ident = make(api, "a")
    act(api, ident, "set_metadata", metadata={"a": "1", "b": "2"})
    found = act(api, ident, "set_metadata", metadata={"a": None, "c": "3"})["aggregate"]
    assert found["metadata"] == {"b": "2", "c": "3"}
    assert found["updated_at"] is not None


def test_names_are_unique(api: Api) -> None:
    make(api, "a")
    other = make(api, "b")
    api.post(PATH, {"aggregate": {"name": "a"}}, status=409)
    api.put(f"{PATH}/{other}", {"aggregate": {"name": "a"}}, status=409)


@pytest.mark.parametrize(
    "given",
    [{}, {"name": ""}, {"name": "a" * 256}, {"name": "a", "availability_zone": "x:y"}, {"name": "a", "more": 1}],
)
def test_bad_input(api: Api, given: dict[str, Any]) -> None:
    api.post(PATH, {"aggregate": given}, status=400)
    assert api.get(PATH)["aggregates"] == []


def test_unknown_ids(api: Api) -> None:
    for ident, status in (("-1", 404), ("77", 404), ("x", 400)):
        api.get(f"{PATH}/{ident}", status=status)
        api.put(f"{PATH}/{ident}", {"aggregate": {"name": "a"}}, status=status)
        api.delete(f"{PATH}/{ident}", status=status)
        act(api, ident, "add_host", host="h1", status=status)


def test_hosts_come_and_go(api: Api, placement: FakePlacement) -> None:
    ident = make(api, "a")
    uuid = api.get(f"{PATH}/{ident}", "2.41")["aggregate"]["uuid"]
    (node, _) = [h["id"] for h in api.get("/os-hypervisors", "2.53")["hypervisors"]]
    assert act(api, ident, "add_host", host="h1")["aggregate"]["hosts"] == ["h1"]
    assert placement.aggregates(node) == {uuid}
    act(api, ident, "add_host", host="h1", status=409)
    act(api, ident, "add_host", host="none", status=404)
    api.delete(f"{PATH}/{ident}", status=400)
    assert act(api, ident, "remove_host", host="h1")["aggregate"]["hosts"] == []
    assert placement.aggregates(node) == frozenset()
    act(api, ident, "remove_host", host="h1", status=404)
    act(api, ident, "remove_host", host="none", status=404)
    api.delete(f"{PATH}/{ident}", status=200)


def test_a_host_is_in_one_zone_at_most(api: Api) -> None:
    paris, rome, both = make(api, "p", "paris"), make(api, "r", "rome"), make(api, "x")
    act(api, paris, "add_host", host="h1")
    act(api, rome, "add_host", host="h1", status=409)
    act(api, both, "add_host", host="h1")
    api.put(f"{PATH}/{both}", {"aggregate": {"availability_zone": "rome"}}, status=400)
    act(api, both, "set_metadata", metadata={"availability_zone": "rome"}, status=400)
    act(api, both, "set_metadata", metadata={"availability_zone": "paris"})


def test_servers_keep_their_host_in_its_zone(api: Api) -> None:
    zone, plain = make(api, "p", "paris"), make(api, "x")
    act(api, zone, "add_host", host="h1")
    for host in ("h1", "h2"):
        add_server(api.compute.store, host)
    act(api, zone, "remove_host", host="h1", status=409)
    act(api, zone, "add_host", host="h2", status=409)
    api.put(f"{PATH}/{zone}", {"aggregate": {"availability_zone": "rome"}}, status=400)
    api.put(f"{PATH}/{zone}", {"aggregate": {"name": "renamed"}})
    act(api, plain, "add_host", host="h2")
    act(api, plain, "remove_host", host="h2")
    assert api.get(f"{PATH}/{zone}")["aggregate"]["hosts"] == ["h1"]


def test_actions_are_checked(api: Api) -> None:
    ident = make(api, "a")
    api.post(f"{PATH}/{ident}/action", {"unknown": {}}, status=400)
    act(api, ident, "add_host", status=400)
    act(api, ident, "set_metadata", metadata={"k": 1}, status=400)
    act(api, ident, "set_metadata", metadata={"k" * 256: "1"}, status=400)


def test_only_admins(api: Api) -> None:
    make(api, "a")
    member = api.member()
    member.get(PATH, status=403)
    member.get(f"{PATH}/1", status=403)
    member.post(PATH, {"aggregate": {"name": "b"}}, status=403)
    member.delete(f"{PATH}/1", status=403)


def test_list_takes_two_statements(api: Api) -> None:
    for name in "abcd":
        act(api, make(api, name), "add_host", host="h1")
    with api.compute.store.api.statements.watch() as seen:
        api.get(PATH)
    assert len(seen) == 2
