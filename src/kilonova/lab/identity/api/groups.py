"""Groups and who is in them."""

from typing import Any

from kilonova.kit.errors import NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.lab.identity.api.collection import KEY, NAME, TEXT, ActionRefused, Collection, demand_known, home_domain
from kilonova.lab.identity.rules import ADMIN, READ
from kilonova.lab.identity.store.rows import Row


class MembershipNotFound(NotFound):
    """The user is not in the group."""

    template = "Could not find user: {user_id} in group: {group_id}."


def _prepare(call: Call, values: Row, row: Row | None) -> Row:
    if row is None:
        values = {**values, "domain_id": values.get("domain_id") or home_domain(call)}
        demand_known(call, lambda store: store.domains, values["domain_id"], "domain_id")
    elif values.pop("domain_id", row["domain_id"]) != row["domain_id"]:
        raise ActionRefused(reason="The field 'domain_id' of a group cannot change.")
    return values


GROUPS = Collection(
    noun="group",
    plural="groups",
    rows=lambda store: store.groups,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="description", schema=TEXT),
        Field(name="domain_id", schema=KEY),
    ),
    filters=("name", "domain_id"),
    prepare=_prepare,
)


def _pair(call: Call) -> tuple[str, str]:
    group = call.app.store.groups.get(call.params["group_id"])
    user = call.app.store.users.get(call.params["user_id"])
    return group["id"], user["id"]


def _members(call: Call) -> dict[str, Any]:
    # users.py needs GROUPS for the other direction; the document of a user is all that is wanted here.
    from kilonova.lab.identity.api.users import USERS  # noqa: PLC0415

    group = call.app.store.groups.get(call.params["group_id"])
    rows = call.app.store.users.some(call.app.store.grants.members(group["id"]))
    return USERS.page(call, rows, f"/v3/groups/{group['id']}/users")


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
    *GROUPS.endpoints(),
    Endpoint(method="GET", path="/v3/groups/{group_id}/users", handler=_members, rule=READ),
    Endpoint(method="PUT", path=_ONE, handler=_join, rule=ADMIN, status=204),
    Endpoint(method="HEAD", path=_ONE, handler=_contains, rule=READ, status=204),
    Endpoint(method="DELETE", path=_ONE, handler=_leave, rule=ADMIN, status=204),
]
