"""Application credentials: a user's own keys for programs, bound to one project."""

import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Array, Field, Object, Schema
from kilonova.lab.identity import passwords
from kilonova.lab.identity.api.collection import FLAG, NAME, TEXT, ActionRefused
from kilonova.lab.identity.rules import ADMIN_OR_SELF, ANYONE, READ_OR_SELF
from kilonova.lab.identity.store.grants import Target
from kilonova.lab.identity.store.rows import RecordNotFound, Row
from kilonova.lab.identity.tokens import named


def _document(call: Call, row: Row) -> Row:
    roles = call.app.store.roles.some(row["role_ids"])
    expires = row["expires_at"]
    path = f"/v3/users/{row['user_id']}/application_credentials/{row['id']}"
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "system": None,
        "roles": [{**named(role), "domain_id": None} for role in roles],
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%f") if expires else None,
        "unrestricted": row["unrestricted"],
        "links": {"self": f"{call.base_url}{path}"},
    }


def _create(call: Call) -> Row:
    given = call.body["application_credential"]
    _demand_maker(call)
    secret = given.get("secret") or secrets.token_hex(32)
    row = call.app.store.application_credentials.add(
        {
            "id": uuid.uuid4().hex,
            "user_id": call.context.user_id,
            "project_id": call.context.project_id,
            "name": given["name"],
            "description": given.get("description"),
            "secret": passwords.hash_password(secret),
            "expires_at": _expiry(call, given.get("expires_at")),
            "unrestricted": given.get("unrestricted", False),
            "role_ids": _roles(call, given.get("roles")),
        }
    )
    return {"application_credential": {**_document(call, row), "secret": secret}}


def _demand_maker(call: Call) -> None:
    """Only the user, with a token for a project; a restricted credential cannot make another."""
    if call.params["user_id"] != call.context.user_id:
        raise ActionRefused(reason="Only the user can create an application credential for the user.")
    if call.context.project_id is None:
        raise Invalid("An application credential needs a token that is scoped to a project.")
    token = call.app.tokens.look_up(call.context.token)
    credential = token.application_credential if token else None
    if credential is not None and not credential["unrestricted"]:
        raise ActionRefused(reason="A restricted application credential cannot manage application credentials.")


def _expiry(call: Call, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"Invalid input for field 'expires_at': {text} is no ISO 8601 time.") from None
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if naive <= call.app.clock.now():
        raise Invalid(f"Invalid input for field 'expires_at': {text} is in the past.")
    return naive


def _roles(call: Call, wanted: list[Row] | None) -> list[str]:
    """Ids of the named roles, which the user must have on the project; all of them by default."""
    store, context = call.app.store, call.context
    held = store.roles.some(store.grants.effective(context.user_id, Target(project_id=context.project_id)))
    if not wanted:
        return [role["id"] for role in held if role["name"] in context.roles]
    found = []
    for entry in wanted:
        keys = [role["id"] for role in held if entry.get("id") == role["id"] or entry.get("name") == role["name"]]
        if not keys:
            raise Invalid(f"Invalid input for field 'roles': you do not have {entry} on the project.")
        found.extend(keys)
    return sorted(set(found))


def _of_user(call: Call) -> list[Row]:
    user_id = call.params["user_id"]
    call.demand(READ_OR_SELF, {"user_id": user_id})
    equal = {"user_id": user_id}
    if call.one("name"):
        equal["name"] = str(call.one("name"))
    rows: list[Row] = call.app.store.application_credentials.find(equal)
    return rows


def _list(call: Call) -> dict[str, Any]:
    links = {"self": f"{call.base_url}{call.path}", "next": None, "previous": None}
    return {"application_credentials": [_document(call, row) for row in _of_user(call)], "links": links}


def _one(call: Call) -> Row:
    row: Row = call.app.store.application_credentials.get(call.params["id"])
    if row["user_id"] != call.params["user_id"]:
        raise RecordNotFound(noun="Application Credential", key=row["id"])
    return row


def _show(call: Call) -> Row:
    call.demand(READ_OR_SELF, {"user_id": call.params["user_id"]})
    return {"application_credential": _document(call, _one(call))}


def _delete(call: Call) -> None:
    call.demand(ADMIN_OR_SELF, {"user_id": call.params["user_id"]})
    call.app.store.application_credentials.remove(_one(call)["id"])


def _access_rules(call: Call) -> dict[str, Any]:
    """None can be made (creation refuses them), so none are listed."""
    call.demand(READ_OR_SELF, {"user_id": call.params["user_id"]})
    return {"access_rules": [], "links": {"self": f"{call.base_url}{call.path}", "next": None, "previous": None}}


_BODY = Schema(
    Object(
        (
            Field(
                name="application_credential",
                required=True,
                schema=Object(
                    (
                        Field(name="name", schema=NAME, required=True),
                        Field(name="description", schema=TEXT),
                        Field(name="secret", schema={"type": ["string", "null"], "minLength": 1}),
                        Field(name="expires_at", schema=TEXT),
                        Field(name="unrestricted", schema=FLAG),
                        Field(name="roles", schema=Array(Object((), extra={"type": ["string", "object", "null"]}))),
                        # Rules that nobody enforces would be a trap, so only an empty list is taken.
                        Field(name="access_rules", schema={"type": ["array", "null"], "maxItems": 0}),
                    ),
                    extra=False,
                ),
            ),
        )
    )
)
_ALL = "/v3/users/{user_id}/application_credentials"
ENDPOINTS = [
    Endpoint(method="POST", path=_ALL, handler=_create, rule=ANYONE, body=_BODY, status=201),
    Endpoint(method="GET", path=_ALL, handler=_list, rule=ANYONE),
    Endpoint(method="GET", path=f"{_ALL}/{{id}}", handler=_show, rule=ANYONE),
    Endpoint(method="DELETE", path=f"{_ALL}/{{id}}", handler=_delete, rule=ANYONE, status=204),
    Endpoint(method="GET", path="/v3/users/{user_id}/access_rules", handler=_access_rules, rule=ANYONE),
]
