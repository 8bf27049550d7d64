"""Roles of users and groups on projects, domains and the system."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Handler
from kilonova.lab.identity.api.roles import ROLES
from kilonova.lab.identity.rules import ADMIN, READ
from kilonova.lab.identity.store.grants import Actor, Target


def _actor(call: Call) -> Actor:
    """From the path. Raises RecordNotFound."""
    store, params = call.app.store, call.params
    if "user_id" in params:
        return Actor(user_id=store.users.get(params["user_id"])["id"])
    return Actor(group_id=store.groups.get(params["group_id"])["id"])


def _target(call: Call) -> Target:
    """From the path; without project and domain it is the system. Raises RecordNotFound."""
    store, params = call.app.store, call.params
    if "project_id" in params:
        return Target(project_id=store.projects.get(params["project_id"])["id"])
    if "domain_id" in params:
        return Target(domain_id=store.domains.get(params["domain_id"])["id"])
    return Target()


def _role(call: Call) -> str:
    key: str = call.app.store.roles.get(call.params["role_id"])["id"]
    return key


def _list(call: Call) -> dict[str, Any]:
    keys = call.app.store.grants.direct(_actor(call), _target(call))
    return ROLES.page(call, call.app.store.roles.some(keys), call.path)


def _give(call: Call) -> None:
    call.app.store.grants.give(_actor(call), _target(call), _role(call))


def _check(call: Call) -> None:
    call.app.store.grants.demand(_actor(call), _target(call), _role(call))


def _take(call: Call) -> None:
    call.app.store.grants.take(_actor(call), _target(call), _role(call))


_WHERE = ("/v3/projects/{project_id}", "/v3/domains/{domain_id}", "/v3/system")
_WHO = ("users/{user_id}", "groups/{group_id}")
_ONE: tuple[tuple[str, Handler, str], ...] = (
    ("PUT", _give, ADMIN),
    ("HEAD", _check, READ),
    ("GET", _check, READ),
    ("DELETE", _take, ADMIN),
)


def _endpoints(path: str) -> list[Endpoint]:
    listing = Endpoint(method="GET", path=path, handler=_list, rule=READ)
    singles = [
        Endpoint(method=method, path=f"{path}/{{role_id}}", handler=handler, rule=rule, status=204)
        for method, handler, rule in _ONE
    ]
    return [listing, *singles]


ENDPOINTS = [endpoint for where in _WHERE for who in _WHO for endpoint in _endpoints(f"{where}/{who}/roles")]
