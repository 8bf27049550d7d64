"""Who is in which group."""

from typing import Any

from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.lab.identity.api.groups import GROUPS
from kilonova.lab.identity.api.users import USERS
from kilonova.lab.identity.rules import ADMIN, ANYONE, READ, READ_OR_SELF


class MembershipNotFound(NotFound):
    """The user is not in the group."""

    template = "Could not find user: {user_id} in group: {group_id}."


def _pair(call: Call) -> tuple[str, str]:
    group = call.app.store.groups.get(call.params["group_id"])
    user = call.app.store.users.get(call.params["user_id"])
    return group["id"], user["id"]


def _members(call: Call) -> dict[str, Any]:
    group = call.app.store.groups.get(call.params["group_id"])
    rows = call.app.store.users.some(call.app.store.grants.members(group["id"]))
    return USERS.page(call, rows, f"/v3/groups/{group['id']}/users")


def _groups(call: Call) -> dict[str, Any]:
    user_id = call.params["user_id"]
    call.demand(READ_OR_SELF, {"user_id": user_id})
    user = call.app.store.users.get(user_id)
    rows = call.app.store.groups.some(call.app.store.grants.groups_of(user["id"]))
    return GROUPS.page(call, rows, f"/v3/users/{user['id']}/groups")


def _join(call: Call) -> None:
    call.app.store.grants.join(*_pair(call))


def _leave(call: Call) -> None:
    group_id, user_id = _pair(call)
    if not call.app.store.grants.leave(group_id, user_id):
        raise MembershipNotFound(user_id=user_id, group_id=group_id)


def _contains(call: Call) -> None:
    group_id, user_id = _pair(call)
    if user_id not in call.app.store.grants.members(group_id):
        raise MembershipNotFound(user_id=user_id, group_id=group_id)


_ONE = "/v3/groups/{group_id}/users/{user_id}"
ENDPOINTS = [
    Endpoint(method="GET", path="/v3/groups/{group_id}/users", handler=_members, rule=READ),
    Endpoint(method="GET", path="/v3/users/{user_id}/groups", handler=_groups, rule=ANYONE),
    Endpoint(method="PUT", path=_ONE, handler=_join, rule=ADMIN, status=204),
    Endpoint(method="HEAD", path=_ONE, handler=_contains, rule=READ, status=204),
    Endpoint(method="DELETE", path=_ONE, handler=_leave, rule=ADMIN, status=204),
]
