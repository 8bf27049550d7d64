"""Users, their passwords, and what belongs to them."""

from typing import Any

from kilonova.kit.errors import Unauthorized
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.identity import passwords
from kilonova.lab.identity.api.collection import (
    FLAG,
    KEY,
    NAME,
    OPTIONAL_KEY,
    OPTIONS,
    ActionRefused,
    Collection,
    demand_known,
    home_domain,
)
from kilonova.lab.identity.api.projects import PROJECTS
from kilonova.lab.identity.rules import ANYONE, READ_OR_SELF
from kilonova.lab.identity.store.rows import Row

_PASSWORD = {"type": ["string", "null"], "maxLength": 1024}


def _prepare(call: Call, values: Row, row: Row | None) -> Row:
    demand_known(call, lambda store: store.projects, values.get("default_project_id"), "default_project_id")
    if "password" in values:
        text = values["password"]
        values = {**values, "password": passwords.hash_password(text) if text else None}
    if row is None:
        values = {**values, "domain_id": values.get("domain_id") or home_domain(call)}
        demand_known(call, lambda store: store.domains, values["domain_id"], "domain_id")
        return values
    if values.pop("domain_id", row["domain_id"]) != row["domain_id"]:
        raise ActionRefused(reason="The field 'domain_id' of a user cannot change.")
    if "password" in values or values.get("enabled") is False:
        call.app.store.tokens.remove_of_user(row["id"])
    return values


def _present(row: Row) -> Row:
    shown = {k: v for k, v in row.items() if k != "password"}
    if shown["default_project_id"] is None:
        del shown["default_project_id"]
    return {**shown, "password_expires_at": None, "options": {}}


USERS = Collection(
    noun="user",
    plural="users",
    rows=lambda store: store.users,
    fields=(
        Field(name="name", schema=NAME, required=True),
        Field(name="password", schema=_PASSWORD),
        Field(name="domain_id", schema=KEY),
        Field(name="default_project_id", schema=OPTIONAL_KEY),
        Field(name="enabled", schema=FLAG),
        Field(name="options", schema=OPTIONS),
    ),
    filters=("name", "domain_id", "enabled"),
    may_read=lambda call, row: bool(row["id"] == call.context.user_id),
    prepare=_prepare,
    present=_present,
)


def _change_password(call: Call) -> None:
    """By the user, who proves it with the old password; Keystone asks for no token here either."""
    store, wanted = call.app.store, call.body["user"]
    user = store.users.first(id=call.params["user_id"])
    if user is None or not passwords.verify(wanted["original_password"], user["password"]):
        raise Unauthorized
    store.users.change(user["id"], {"password": passwords.hash_password(wanted["password"])})
    store.tokens.remove_of_user(user["id"])


def _projects(call: Call) -> dict[str, Any]:
    user_id = call.params["user_id"]
    call.demand(READ_OR_SELF, {"user_id": user_id})
    user = call.app.store.users.get(user_id)
    targets = call.app.store.grants.targets(user["id"])
    rows = call.app.store.projects.some(t.project_id for t in targets if t.project_id)
    return PROJECTS.page(call, rows, f"/v3/users/{user['id']}/projects")


_NEW_PASSWORD = Schema(
    Object(
        (
            Field(
                name="user",
                required=True,
                schema=Object(
                    (
                        Field(name="original_password", schema={"type": "string"}, required=True),
                        Field(name="password", schema={"type": "string", "minLength": 1}, required=True),
                    )
                ),
            ),
        )
    )
)
ENDPOINTS = [
    *USERS.endpoints(),
    Endpoint(
        method="POST",
        path="/v3/users/{user_id}/password",
        handler=_change_password,
        public=True,
        body=_NEW_PASSWORD,
        status=204,
    ),
    Endpoint(method="GET", path="/v3/users/{user_id}/projects", handler=_projects, rule=ANYONE),
]
