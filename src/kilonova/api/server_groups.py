"""Server groups."""

import uuid
from collections.abc import Sequence
from typing import Any

from kilonova.api import fields, notices, quota_limits
from kilonova.api.microversions import STRICT_ALL, STRICT_QUERY
from kilonova.domain import quota, server_group
from kilonova.kit import codec
from kilonova.kit.clock import stamp
from kilonova.kit.codec import Fragment
from kilonova.kit.db.rows import Row
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Array, Field, Object
from kilonova.store import quotas
from kilonova.store import server_groups as store

# The second argument of a shape: group's row id → UUIDs of living members.
GROUP = Document(
    (
        Out("id", "uuid"),
        Out("name"),
        Out("policies", lambda row, _members: [row["policy"]], until=(2, 63)),
        Out("metadata", lambda _row, _members: {}, until=(2, 63)),
        Out("policy", since=(2, 64)),
        Out("rules", lambda row, _members: Fragment(row["rules"]), since=(2, 64)),
        Out("members", lambda row, members: members.get(row["id"], [])),
        Out("project_id", since=(2, 13)),
        Out("user_id", since=(2, 13)),
    )
)
_ONE = {"minItems": 1, "maxItems": 1, "uniqueItems": True}
_RULES = Object((Field(name="max_server_per_host", schema=fields.integer(1)),))
CREATE = fields.wrapped(
    "server_group",
    Field(name="name", schema=fields.NAME, required=True),
    Field(name="policies", schema=Array({"enum": [*server_group.HARD]}, _ONE), until=(2, 14), required=True),
    Field(
        name="policies",
        schema=Array({"enum": [*server_group.POLICIES]}, _ONE),
        since=(2, 15),
        until=(2, 63),
        required=True,
    ),
    Field(name="policy", schema={"enum": [*server_group.POLICIES]}, since=(2, 64), required=True),
    Field(name="rules", schema=_RULES, since=(2, 64)),
)
_RULE = "os_compute_api:os-server-groups:"
_PATH = "/os-server-groups"
_LIST_QUERY = fields.query("all_projects", "limit", "offset")


def _views(call: Call, connection: Any, found: Sequence[Row]) -> list[dict[str, Any]]:
    shape = GROUP.compile(call.version)
    members = store.living_members(connection, [row["id"] for row in found])
    return [shape(row, members) for row in found]


def index(call: Call) -> Any:
    """The project's groups, or with a further policy everyone's (``all_projects``)."""
    project_id: str | None = call.context.project_id
    if "all_projects" in call.query and call.allow(_RULE + "index:all_projects", {"project_id": project_id}):
        project_id = None
    limit = paging.limit_of(call, call.app.api.max_limit)
    with call.app.store.api.read() as connection:
        found = store.page(
            connection, project_id, offset=min(call.integer("offset", 0) or 0, fields.LARGEST), limit=limit
        )
        return {"server_groups": _views(call, connection, found)}


def _find(call: Call, connection: Any, action: str) -> Row:
    found = store.get(connection, call.params["id"])
    if found is None:
        raise server_group.ServerGroupNotFound(group_id=call.params["id"])
    call.demand(_RULE + action, {"project_id": found["project_id"], "user_id": found["user_id"]})
    return found


def show(call: Call) -> Any:
    """One group. Raises ServerGroupNotFound."""
    with call.app.store.api.read() as connection:
        return {"server_group": _views(call, connection, [_find(call, connection, "show")])[0]}


def create(call: Call) -> Any:
    """A new group. Raises TooManyServerGroups, Invalid."""
    wanted, project_id = call.body["server_group"], str(call.context.project_id)
    policy = wanted["policy"] if "policy" in wanted else wanted["policies"][0]
    rules = {key: fields.whole(key, value, 1) for key, value in wanted.get("rules", {}).items()}
    server_group.check_rules(policy, rules)
    values = {
        "uuid": str(uuid.uuid4()),
        "project_id": project_id,
        "user_id": str(call.context.user_id),
        "name": wanted["name"],
        "policy": policy,
        "rules": codec.text(rules),
        "created_at": stamp(call.app.clock.now()),
    }

    def work(connection: Any) -> None:
        quotas.hold(connection, "server_groups", project_id)
        limit = quota_limits.effective(call, connection, project_id, call.context.user_id)["server_groups"]
        quota.demand("server_groups", limit, store.count(connection, project_id))
        store.create(connection, values)

    call.app.store.api.transact(work)
    return {"server_group": GROUP.compile(call.version)({"id": None, **values}, {})}


def delete(call: Call) -> None:
    """Its servers live on. Raises ServerGroupNotFound."""

    def work(connection: Any) -> None:
        store.delete(connection, _find(call, connection, "delete")["uuid"])

    call.app.store.api.transact(work)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule=_RULE + "index",
        query=_LIST_QUERY,
        strict_query=STRICT_QUERY,
        summary="List server groups",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        handler=notices.telling(create, "server_group.create", notices.server_group, notices.ALONE),
        rule=_RULE + "create",
        body=CREATE,
        summary="Create a server group",
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a server group",
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{id}",
        handler=notices.telling(delete, "server_group.delete", notices.server_group, notices.ALONE),
        status=204,
        summary="Delete a server group",
    ),
)
