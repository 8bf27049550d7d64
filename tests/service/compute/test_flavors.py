from typing import Any

import pytest
from tests.service.compute.harness import Api


def make(api: Api, name: str, **more: Any) -> dict[str, Any]:
    version = "2.55" if "description" in more else None
    body = {"name": name, "id": name, "ram": 512, "vcpus": 1, "disk": 1, **more}
    made: dict[str, Any] = api.post("/flavors", {"flavor": body}, version)["flavor"]
    return made


def names(found: Any) -> list[str]:
    return [flavor["name"] for flavor in found["flavors"]]


@pytest.mark.parametrize("given", [{}, {"id": None}])
def test_a_flavor_without_id_gets_a_uuid(api: Api, given: dict[str, Any]) -> None:
    body = {"name": "a", "ram": 512, "vcpus": 1, "disk": 1, **given}
    assert len(api.post("/flavors", {"flavor": body})["flavor"]["id"]) == 36


def test_numbers_may_be_strings_and_ids_numbers(api: Api) -> None:
    made = make(api, "a", id=7, ram="512", swap="64")
    assert (made["id"], made["ram"], made["swap"]) == ("7", 512, 64)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ram": 0}, "ram"),
        ({"ram": "99999999999"}, "ram"),
        ({"vcpus": -1}, "vcpus"),
        ({"disk": "x"}, "disk"),
        ({"name": ""}, "name"),
        ({"name": " a"}, "name"),
        ({"id": "a/b"}, "id"),
        ({"rxtx_factor": 0}, "rxtx_factor"),
        ({"description": "x"}, "description"),
        ({"os-flavor-access:is_public": "maybe"}, "is_public"),
    ],
)
def test_bad_input_is_400_and_names_the_field(api: Api, change: dict[str, Any], field: str) -> None:
    body = {"name": "a", "ram": 512, "vcpus": 1, "disk": 1, **change}
    assert field in api.post("/flavors", {"flavor": body}, status=400)["badRequest"]["message"]
    assert names(api.get("/flavors")) == []


@pytest.mark.parametrize("clash", [{"name": "a", "id": "b"}, {"name": "b", "id": "a"}])
def test_names_and_ids_are_unique(api: Api, clash: dict[str, Any]) -> None:
    make(api, "a")
    body = {"ram": 1, "vcpus": 1, "disk": 1, **clash}
    assert "already exists" in api.post("/flavors", {"flavor": body}, status=409)["conflictingRequest"]["message"]


def test_only_admins_make_and_delete(api: Api) -> None:
    make(api, "a")
    member = api.member()
    member.post("/flavors", {"flavor": {"name": "b", "ram": 1, "vcpus": 1, "disk": 1}}, status=403)
    member.delete("/flavors/a", status=403)
    api.delete("/flavors/a", status=202)
    api.delete("/flavors/a", status=404)
    api.get("/flavors/a", status=404)


def test_private_flavors_are_for_projects_with_access(api: Api) -> None:
    make(api, "public")
    make(api, "private", **{"os-flavor-access:is_public": False})
    member = api.member(project="aa")
    member.get("/flavors/private", status=404)
    api.post("/flavors/private/action", {"addTenantAccess": {"tenant": "aa"}})
    assert names(member.get("/flavors")) == ["private", "public"]
    member.get("/flavors/private")
    assert names(api.member(project="bb").get("/flavors")) == ["public"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["public"]),
        ("?is_public=true", ["public"]),
        ("?is_public=false", ["private"]),
        ("?is_public=None", ["private", "public"]),
    ],
)
def test_admins_choose_by_is_public(api: Api, query: str, found: list[str]) -> None:
    make(api, "public")
    make(api, "private", **{"os-flavor-access:is_public": False})
    assert names(api.get(f"/flavors{query}")) == found
    assert names(api.member().get(f"/flavors{query}")) == ["public"]


def test_is_public_must_be_a_boolean_or_none(api: Api) -> None:
    api.get("/flavors?is_public=maybe", status=400)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("minRam=600", ["big"]),
        ("minDisk=1", ["big", "small"]),
        ("minDisk=2", ["big"]),
        ("limit=1", ["big"]),
        ("marker=big", ["small"]),
        ("sort_key=memory_mb", ["small", "big"]),
        ("sort_key=memory_mb&sort_dir=desc", ["big", "small"]),
        ("sort_dir=desc", ["small", "big"]),
        ("limit=0", []),
    ],
)
def test_lists_filter_sort_and_page(api: Api, query: str, found: list[str]) -> None:
    make(api, "small")
    make(api, "big", ram=1024, disk=20)
    assert names(api.get(f"/flavors?{query}")) == found
    assert names(api.get(f"/flavors/detail?{query}")) == found


@pytest.mark.parametrize(
    "query", ["minRam=x", "minDisk=x", "limit=-1", "limit=x", "marker=none", "sort_key=x", "sort_dir=x"]
)
def test_bad_list_queries_are_400(api: Api, query: str) -> None:
    api.get(f"/flavors?{query}", status=400)


def test_following_next_links_sees_each_flavor_once(api: Api) -> None:
    for name in "abcde":
        make(api, name)
    seen, path = [], "/flavors?limit=2&sort_key=name&sort_dir=desc"
    while path:
        page = api.get(path)
        seen += names(page)
        links = page.get("flavors_links")
        path = links[0]["href"].split("/v2.1", 1)[1] if links else ""
    assert seen == list("edcba")


def test_name_filter_is_there_from_2_102(api: Api) -> None:
    make(api, "m1.small")
    make(api, "m2.small")
    assert names(api.get("/flavors?name=m1", "2.102")) == ["m1.small"]
    assert names(api.get("/flavors?name=m1", "2.74")) == ["m1.small", "m2.small"]
    api.get("/flavors?name=m1", "2.75", status=400)


def test_rxtx_factor_is_gone_at_2_102(api: Api) -> None:
    body = {"flavor": {"name": "a", "ram": 1, "vcpus": 1, "disk": 1, "rxtx_factor": 2.0}}
    api.post("/flavors", body, "2.102", status=400)
    api.post("/flavors", body, "2.101")
    api.get("/flavors?sort_key=rxtx_factor", "2.102", status=400)


def test_swap_is_an_empty_text_until_2_75(api: Api) -> None:
    make(api, "a")
    assert api.get("/flavors/a", "2.74")["flavor"]["swap"] == ""
    assert api.get("/flavors/a", "2.75")["flavor"]["swap"] == 0


def test_descriptions_can_be_changed_from_2_55(api: Api) -> None:
    make(api, "a", description="first")
    api.put("/flavors/a", {"flavor": {"description": None}}, "2.54", status=404)
    found = api.put("/flavors/a", {"flavor": {"description": None}}, "2.55")["flavor"]
    assert found["description"] is None
    api.put("/flavors/none", {"flavor": {"description": "x"}}, "2.55", status=404)


def test_extra_specs_show_to_who_may_read_them(api: Api) -> None:
    make(api, "a")
    api.post("/flavors/a/os-extra_specs", {"extra_specs": {"k": "v"}})
    assert api.member().get("/flavors/a", "2.61")["flavor"]["extra_specs"] == {"k": "v"}
    stranger = api.member()
    stranger.roles = "stranger"
    assert "extra_specs" not in stranger.get("/flavors/a", "2.61")["flavor"]


def test_lists_take_one_statement(api: Api) -> None:
    for name in "abcdef":
        make(api, name)
    with api.compute.store.api.statements.watch() as seen:
        api.get("/flavors/detail", "2.104")
    assert len(seen) == 1
