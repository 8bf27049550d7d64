"""Providers: making, finding, re-parenting, deleting."""

from typing import Any

import pytest

RP = "/resource_providers"


def names(answer: Any) -> list[str]:
    return [one["name"] for one in answer["resource_providers"]]


LINKS = [
    ("1.0", "self inventories usages"),
    ("1.1", "self inventories usages aggregates"),
    ("1.6", "self inventories usages aggregates traits"),
    ("1.11", "self inventories usages aggregates traits allocations"),
]


@pytest.mark.parametrize(("version", "relations"), LINKS)
def test_document_by_version(api: Any, version: str, relations: str) -> None:
    path = api.provider("cn")
    shown = api.ok("GET", path, version=version)
    assert [link["rel"] for link in shown["links"]] == relations.split()
    assert shown["links"][0]["href"] == path
    assert set(shown) == {"uuid", "name", "generation", "links"}


def test_document_with_its_tree(api: Any) -> None:
    api.provider("root")
    api.provider("child", parent="root")
    path = api.provider("leaf", parent="child")
    shown = api.ok("GET", path, version="1.14")
    assert (shown["parent_provider_uuid"], shown["root_provider_uuid"]) == (api.uid("child"), api.uid("root"))


def test_create_answers_by_version(api: Any) -> None:
    old = api.call("POST", RP, {"name": "old"}, version="1.19")
    assert (old.status_code, old.text) == (201, "")
    assert api.ok("GET", old.headers["location"].removeprefix("http://falconframework.org"))["name"] == "old"
    new = api.call("POST", RP, {"name": "new"}, version="1.20")
    assert (new.status_code, new.json["generation"]) == (200, 0)
    assert new.headers["location"].endswith(new.json["uuid"])


def test_dates_from_1_15(api: Any) -> None:
    path = api.provider("cn")
    assert "last-modified" not in api.call("GET", path, version="1.14").headers
    reply = api.call("GET", path, version="1.15")
    assert reply.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert reply.headers["cache-control"] == "no-cache"


def test_uuids_are_told_apart_by_value_only(api: Any) -> None:
    uuid = api.uid("cn")
    api.ok("POST", RP, {"name": "cn", "uuid": uuid.upper()})
    assert api.ok("GET", f"{RP}/{uuid.replace('-', '')}")["uuid"] == uuid
    assert api.refused(409, "uuid", "POST", RP, {"name": "other", "uuid": uuid}) == "placement.duplicate_name"


def test_names_are_unique(api: Any) -> None:
    api.provider("one")
    path = api.provider("two")
    assert api.refused(409, "name", "POST", RP, {"name": "one"}) == "placement.duplicate_name"
    assert api.refused(409, "name", "PUT", path, {"name": "one"}) == "placement.duplicate_name"
    assert api.ok("PUT", path, {"name": "three"})["generation"] == 0


FILTERS = [
    ("", "a b c"),
    ("name=b", "b"),
    ("uuid={c}", "c"),
    ("in_tree={c}", "b c"),
    ("resources=VCPU:4", "a b"),
    ("resources=VCPU:4,DISK_GB:1", "b"),
    ("resources=VCPU:3", ""),
    ("required=HW_CPU_X86_AVX2", "a"),
    ("required=!HW_CPU_X86_AVX2", "b c"),
    ("required=in:HW_CPU_X86_AVX2,STORAGE_DISK_SSD", "a c"),
    ("member_of={east}", "a"),
    ("member_of=in:{east},{west}", "a b"),
    ("member_of={east}&member_of={west}", ""),
    ("member_of=!{east}", "b c"),
    ("member_of={west}&name=a", ""),
]


@pytest.mark.parametrize(("query", "found"), FILTERS)
def test_filters(api: Any, query: str, found: str) -> None:
    api.provider("a", {"VCPU": {"total": 8, "step_size": 2}}, traits=("HW_CPU_X86_AVX2",), aggregates=("east",))
    api.provider("b", {"VCPU": {"total": 8, "min_unit": 4}, "DISK_GB": 5}, aggregates=("west",))
    api.provider("c", {"VCPU": {"total": 8, "max_unit": 2}}, traits=("STORAGE_DISK_SSD",), parent="b")
    uuids = {name: api.uid(name) for name in ("a", "b", "c", "east", "west")}
    assert names(api.ok("GET", f"{RP}?{query.format(**uuids)}")) == found.split()


BAD_FILTERS = [
    ("1.39", "colour=red", "colour"),
    ("1.39", "name=a&name=b", "name"),
    ("1.39", "uuid=x", "uuid"),
    ("1.39", "resources=VCPU:1:2", "resources"),
    ("1.39", "resources=CUSTOM_NONE:1", "CUSTOM_NONE"),
    ("1.2", "member_of=x", "member_of"),
    ("1.3", "resources=VCPU:1", "resources"),
    ("1.13", "in_tree=x", "in_tree"),
    ("1.17", "required=HW_CPU_X86_AVX2", "required"),
    ("1.31", "member_of=!x", "member_of"),
]


@pytest.mark.parametrize(("version", "query", "words"), BAD_FILTERS)
def test_bad_filters(api: Any, version: str, query: str, words: str) -> None:
    api.refused(400, words, "GET", f"{RP}?{query}", version=version)


class TestMoving:
    @pytest.fixture
    def tree(self, api: Any) -> Any:
        api.provider("a")
        api.provider("b")
        api.provider("child", {"VCPU": 4}, parent="a", traits=("HW_CPU_X86_AVX2",), aggregates=("east",))
        api.provider("leaf", {"VCPU": 2}, parent="child")
        return api

    def move(self, api: Any, name: str, parent: str | None, version: str = "1.37") -> Any:
        body = {"name": name, "parent_provider_uuid": parent and api.uid(parent)}
        return api.call("PUT", f"{RP}/{api.uid(name)}", body, version=version)

    def test_the_tree_follows(self, tree: Any) -> None:
        assert self.move(tree, "child", "b").json["root_provider_uuid"] == tree.uid("b")
        assert names(tree.ok("GET", f"{RP}?in_tree={tree.uid('b')}")) == ["b", "child", "leaf"]
        query = f"resources=VCPU:1&required=HW_CPU_X86_AVX2&in_tree={tree.uid('b')}"
        assert tree.candidates(query) == ["child VCPU=1"]
        assert tree.candidates(f"resources=VCPU:1&in_tree={tree.uid('a')}") == []

    def test_out_of_the_tree_and_back(self, tree: Any) -> None:
        assert self.move(tree, "child", None).json["root_provider_uuid"] == tree.uid("child")
        assert tree.candidates(f"resources=VCPU:1&in_tree={tree.uid('leaf')}") == ["child VCPU=1", "leaf VCPU=1"]
        assert self.move(tree, "child", "a", "1.14").status_code == 200

    @pytest.mark.parametrize(
        ("name", "parent", "version"),
        [("child", "leaf", "1.37"), ("child", "child", "1.37"), ("child", None, "1.36"), ("child", "b", "1.36")],
    )
    def test_refused(self, tree: Any, name: str, parent: str | None, version: str) -> None:
        reply = self.move(tree, name, parent, version)
        assert reply.status_code == 400
        assert "parent_provider_uuid" in reply.text
        assert tree.ok("GET", f"{RP}/{tree.uid('child')}")["parent_provider_uuid"] == tree.uid("a")

    def test_unknown_parent(self, tree: Any) -> None:
        assert self.move(tree, "b", "nobody").status_code == 400
        body = {"name": "x", "parent_provider_uuid": tree.uid("nobody")}
        tree.refused(400, "parent_provider_uuid", "POST", RP, body)


def test_delete(api: Any) -> None:
    root = api.provider("root", {"VCPU": 4}, traits=("HW_CPU_X86_AVX2",), aggregates=("east",))
    child = api.provider("child", parent="root")
    code = api.refused(409, "child resource providers", "DELETE", root)
    assert code == "placement.resource_provider.cannot_delete_parent"
    assert api.call("DELETE", child).status_code == 204
    api.claim("server", {"root": {"VCPU": 1}})
    assert api.refused(409, "allocations", "DELETE", root) == "placement.resource_provider.inuse"
    api.ok("DELETE", f"/allocations/{api.uid('server')}")
    assert api.call("DELETE", root).status_code == 204
    assert api.refused(404, api.uid("root"), "DELETE", root) == "placement.undefined_code"


BODIES = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": 5}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": "x", "uuid": "nothing"}, "uuid"),
    ({"name": "x", "colour": "red"}, "colour"),
    ({"name": "x", "parent_provider_uuid": 7}, "parent_provider_uuid"),
    ([], "body"),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_bad_bodies(api: Any, body: Any, words: str) -> None:
    api.refused(400, words, "POST", RP, body)
    assert api.ok("GET", RP) == {"resource_providers": []}


def test_parent_is_unknown_before_1_14(api: Any) -> None:
    api.provider("root")
    body = {"name": "x", "parent_provider_uuid": api.uid("root")}
    api.refused(400, "parent_provider_uuid", "POST", RP, body, version="1.13")
