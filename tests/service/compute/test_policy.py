"""Who may do what: every route with each role, over HTTP, against the reference's table of default roles.

``tests/golden/policy.json`` has the table's routes (at their newest version, with a published sample as body).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from tests.service.cloud import Cloud, running

from kilonova.api.app import endpoints
from kilonova.kit.http.endpoint import Endpoint

_ROUTES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "golden" / "policy.json").read_text())
_CALLERS = {  # name → project and roles; those of the project itself come last, they may destroy what is asked for
    "nobody": ("other", "nobody"),
    "stranger": ("other", "manager,member,reader"),
    "service": ("service", "service"),
    "outcast": ("project", "nobody"),
    "reader": ("project", "reader"),
    "member": ("project", "member,reader"),
    "manager": ("project", "manager,member,reader"),
    "admin": ("project", "admin,manager,member,reader"),
}
_WITHOUT_TARGET = {"stranger", "reader", "member", "manager", "admin"}
"""Who is a reader somewhere, which is enough for things of the caller's own."""
_ALLOWED = {
    "admin": {"admin"},
    "owner-manager": {"manager", "admin"},
    "owner-member": {"member", "manager", "admin"},
    "reader": {"reader", "member", "manager", "admin"},
    "service": {"service", "admin"},
    "owner-user": set(_CALLERS),
    "any": set(_CALLERS),
}
_TASK = "OS-EXT-STS:task_state"
_REFUSED = {403, 404}
_HIDING = {"os_compute_api:os-flavor-extra-specs:index"}
"""Rules that only decide what flavors' documents show."""


class World:
    """A cloud with one of everything that paths name."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.server = ""
        cloud.flavor()
        cloud.flavor("other", ident="2")
        self.network = cloud.network_api.network("private", "project")

    def path(self, template: str) -> str:
        if "{server_id}" in template and not self._stays():
            self._host_is_up()
            made = self.cloud.boot(networks=[{"uuid": self.network}], metadata={"foo": "bar"}, flavorRef="2")
            self.server = made["id"]
        known = {
            "server_id": self.server,
            "server_group_id": self._group() if "{server_group_id}" in template else "",
            "tenant_id": "project",
            "host_name": "host1",
            "id": "project",
            "key": "foo",
        }
        return "/".join(known.get(part[1:-1], "1") if part.startswith("{") else part for part in template.split("/"))

    def _stays(self) -> bool:
        """The server is there, and no route before has had it deleted."""
        shown = self.cloud.show(self.server) if self.server else None
        return shown is not None and shown.status_code == 200 and shown.json["server"][_TASK] != "deleting"

    def _host_is_up(self) -> None:
        """Routes of services disable it and force it down."""
        body = {"host": "host1", "binary": "nova-compute"}
        for path, more in (("enable", {}), ("force-down", {"forced_down": False})):
            self.cloud.call("PUT", f"/os-services/{path}", {**body, **more}, version="2.52", token="admin:admin")

    def _group(self) -> str:
        groups = self.cloud.call("GET", "/os-server-groups").json["server_groups"]
        body = {"server_group": {"name": "group", "policy": "affinity"}}
        return str((groups or [self.cloud.call("POST", "/os-server-groups", body).json["server_group"]])[0]["id"])

    def ask(self, route: dict[str, Any], caller: str) -> falcon.testing.Result:
        project, roles = _CALLERS[caller]
        path = self.path(route["path"])
        return self.cloud.client.simulate_request(
            route["method"],
            f"/v2.1{path}",
            json=route["body"],
            headers={
                "X-Auth-Token": f"{caller}:{project}",
                "X-Roles": roles,
                "OpenStack-API-Version": f"compute {route['version']}",
            },
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield World(cloud)


def _served() -> list[Any]:
    def serves(endpoint: Endpoint, route: dict[str, Any]) -> bool:
        major, _, minor = route["version"].partition(".")
        same = (endpoint.method, endpoint.action or "") == (route["method"], route["action"])
        return same and _shape(endpoint.path) == _shape(route["path"]) and endpoint.lives((int(major), int(minor)))

    table = endpoints()
    name = "{method} {path} {action}"
    hiding = [route for route in _ROUTES if route["rule"] in _HIDING and route["path"].count("/") < 3]
    found = [r for r in _ROUTES if r not in hiding and any(serves(endpoint, r) for endpoint in table)]
    return [pytest.param(route, id=name.format(**route).strip()) for route in found]


def _shape(path: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in path.split("/")]


@pytest.mark.parametrize("route", _served())
def test_roles(route: dict[str, Any], world: World) -> None:
    own = "{server_id}" not in route["path"] and "{server_group_id}" not in route["path"]
    allowed = set(_ALLOWED[route["role"]])
    if own and allowed & {"reader", "member", "manager"} and "tenant_id" not in route["path"]:
        allowed.add("stranger")  # in a project of its own
    order = sorted(_CALLERS, key=lambda name: name in allowed)
    for caller in order:
        result = world.ask(route, caller)
        if caller not in allowed:
            elsewhere = _CALLERS[caller][0] != "project"
            assert result.status_code in (_REFUSED if elsewhere else {403}), (caller, result.text)
        else:
            assert f"allow {route['rule']} to" not in result.text, caller
