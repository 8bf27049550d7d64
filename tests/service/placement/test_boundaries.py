"""What each microversion brought: one request, answered in the old way just below it and in the new way at it."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.service.placement.test_versions import ROUTES

from kilonova.placement.api.app import VERSIONS

AVX, SSE = "HW_CPU_X86_AVX2", "HW_CPU_X86_SSE"
RP, AC = "/resource_providers", "/allocation_candidates?resources=VCPU:1"
OWNER = {"project_id": "p", "user_id": "u"}
ROUTING = Path("tests/golden/placement-routes.tsv")
Sees = Callable[[Any], Any]


def status(reply: Any) -> int:
    return int(reply.status_code)


def shows(key: str) -> Sees:
    """Is the key in the document?"""
    return lambda reply: key in reply.json


def number(reply: Any) -> int:
    return len(reply.json["allocation_requests"])


BOUNDARIES: list[tuple[int, str, str, Any, Sees, Any, Any]] = [
    # minor, method, path, body, what is looked at, just below, at the version; {name} is the uuid of that name
    (1, "GET", RP + "/{cn}/aggregates", None, status, 404, 200),
    (2, "GET", "/resource_classes", None, status, 404, 200),
    (3, "GET", RP + "?member_of={rack}", None, status, 400, 200),
    (4, "GET", RP + "?resources=VCPU:1", None, status, 400, 200),
    (5, "DELETE", RP + "/{bare}/inventories", None, status, 405, 204),
    (6, "GET", "/traits", None, status, 404, 200),
    (7, "PUT", "/resource_classes/CUSTOM_NEW", None, status, 400, 201),
    (8, "PUT", "/allocations/{new}", "list", status, 204, 400),
    (9, "GET", "/usages?project_id=project", None, status, 404, 200),
    (10, "GET", AC, None, status, 404, 200),
    (11, "GET", RP + "/{cn}", None, lambda r: r.json["links"][-1]["rel"] == "allocations", False, True),
    (12, "GET", "/allocations/{server}", None, shows("project_id"), False, True),
    (13, "POST", "/allocations", "many", status, 404, 204),
    (14, "GET", RP + "/{cn}", None, shows("root_provider_uuid"), False, True),
    (15, "GET", RP, None, lambda r: "last-modified" in r.headers, False, True),
    (16, "GET", AC + "&limit=1", None, status, 400, 200),
    (17, "GET", AC + "&required=" + AVX, None, status, 400, 200),
    (18, "GET", RP + "?required=" + AVX, None, status, 400, 200),
    (19, "GET", RP + "/{cn}/aggregates", None, shows("resource_provider_generation"), False, True),
    (20, "POST", RP, "fresh", status, 201, 200),
    (21, "GET", AC + "&member_of={rack}", None, status, 400, 200),
    (22, "GET", AC + "&required=!" + AVX, None, status, 400, 200),
    (23, "GET", RP + "/{nobody}", None, lambda r: "code" in r.json["errors"][0], False, True),
    (24, "GET", RP + "?member_of={rack}&member_of={rack}", None, status, 400, 200),
    (25, "GET", "/allocation_candidates?resources1=VCPU:1", None, status, 400, 200),
    (26, "PUT", RP + "/{bare}/inventories", "all reserved", status, 400, 200),
    (27, "GET", AC, None, lambda r: "MEMORY_MB" in r.text, False, True),
    (28, "GET", "/allocations/{server}", None, shows("consumer_generation"), False, True),
    (29, "GET", AC + ",CUSTOM_VF:1", None, number, 0, 1),
    (30, "POST", "/reshaper", {}, status, 404, 400),
    (31, "GET", AC + "&in_tree={cn}", None, status, 400, 200),
    (32, "GET", AC + "&member_of=!{rack}", None, status, 400, 200),
    (33, "GET", "/allocation_candidates?resources_NET=VCPU:1", None, status, 400, 200),
    (34, "GET", AC, None, lambda r: "mappings" in r.json["allocation_requests"][0], False, True),
    (35, "GET", AC + "&root_required=" + AVX, None, status, 400, 200),
    (36, "GET", "/allocation_candidates?resources1=VCPU:1&same_subtree=1", None, status, 400, 200),
    (37, "PUT", RP + "/{vf}", {"name": "vf", "parent_provider_uuid": None}, status, 400, 200),
    (38, "GET", "/allocations/{server}", None, shows("consumer_type"), False, True),
    (39, "GET", AC + f"&required=in:{AVX},{SSE}", None, status, 400, 200),
]


@pytest.fixture
def cloud(api: Any) -> Any:
    api.provider("cn", {"VCPU": 8, "MEMORY_MB": 100}, traits=(AVX,), aggregates=("rack",))
    api.provider("vf", {"CUSTOM_VF": 2}, parent="cn")
    api.provider("bare")
    assert api.claim("server", {"cn": {"VCPU": 1}}).status_code == 204
    return api


def body_of(cloud: Any, body: Any, version: int) -> Any:
    resources = {"resources": {"VCPU": 1}}
    named = {
        "fresh": {"name": f"at {version}"},
        "list": {"allocations": [{"resource_provider": {"uuid": cloud.uid("cn")}, **resources}]},
        "many": {cloud.uid("new"): {"allocations": {cloud.uid("cn"): resources}, **OWNER}},
        "all reserved": {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 2, "reserved": 2}}},
    }
    return named[body] if isinstance(body, str) else body


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=lambda row: f"1.{row[0]}")
def test_boundary(cloud: Any, boundary: Any) -> None:
    minor, method, path, body, sees, below, at = boundary
    for name in ("cn", "vf", "bare", "rack", "server", "new", "nobody"):
        path = path.replace("{" + name + "}", cloud.uid(name))
    seen = [
        sees(cloud.call(method, path, body_of(cloud, body, version), version=f"1.{version}", roles="admin,service"))
        for version in (minor - 1, minor)
    ]
    assert seen == [below, at]


def test_every_microversion_has_a_boundary() -> None:
    assert [row[0] for row in BOUNDARIES] == list(range(VERSIONS.minimum[1] + 1, VERSIONS.maximum[1] + 1))


def test_every_route_has_its_row() -> None:
    """The table of ``test_versions``, which asks each route just below and at its first version, has them all."""

    def shape(path: str) -> str:
        return "/".join("{}" if part.startswith("{") else part for part in path.partition("?")[0].split("/"))

    first: dict[tuple[str, str], int] = {}
    with ROUTING.open(newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            key, since = (row["method"], shape(row["path"])), row["min_microversion"] or "1.0"
            first[key] = min(int(since.partition(".")[2]), first.get(key, 99))
    assert first.pop(("GET", "/")) == 0  # which test_root_needs_no_token asks
    assert first == {(method, shape(path)): since for method, path, since, _ in ROUTES}
