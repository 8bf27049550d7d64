"""Key pairs of users."""

from typing import Any

from kilonova.api import fields, links, notices, quota_limits
from kilonova.api.microversions import STRICT_QUERY
from kilonova.domain import keypair as rules
from kilonova.domain import quota
from kilonova.kit.clock import stamp
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.store import keypairs as store
from kilonova.store import quotas

_BRIEF = (
    Out("name"),
    Out("type", since=(2, 2)),
    Out("fingerprint"),
    Out("public_key"),
)
BRIEF = Document(_BRIEF)
CREATED = Document((*_BRIEF, Out("user_id"), Out("private_key", group="generated")))
FULL = Document(
    (
        *_BRIEF,
        Out("user_id"),
        Out("id"),
        Out("created_at"),
        Out("updated_at", lambda _row, _view: None),
        Out("deleted", lambda _row, _view: False),
        Out("deleted_at", lambda _row, _view: None),
    )
)
_PUBLIC_KEY = {"type": "string"}
CREATE = fields.wrapped(
    "keypair",
    Field(name="name", schema=fields.NAME, required=True),
    Field(name="type", schema={"enum": [rules.SSH, rules.X509]}, since=(2, 2)),
    Field(name="public_key", schema=_PUBLIC_KEY, until=(2, 91)),
    Field(name="public_key", schema=_PUBLIC_KEY, since=(2, 92), required=True),
    Field(name="user_id", schema=fields.TEXT_255, since=(2, 10)),
)
_USER = fields.key("user_id", since=(2, 10))
_RULE = "os_compute_api:os-keypairs:"
_NAMES_FREER = 92
_PAGED = 35


def _owner(call: Call, action: str) -> str:
    """Whose key pairs the request is about; policy decides whether the caller may."""
    user_id = call.one("user_id") or str(call.context.user_id)
    call.demand(_RULE + action, {"user_id": user_id})
    return user_id


def index(call: Call) -> Any:
    """A user's key pairs by name."""
    user_id = _owner(call, "index")
    paged = call.at_least(_PAGED)
    limit = paging.limit_of(call, call.app.api.max_limit) if paged else None
    with call.app.store.api.read() as connection:
        found = store.page(connection, user_id, limit=limit, marker=call.one("marker") if paged else None)
    shape = BRIEF.compile(call.version)
    body: dict[str, Any] = {"keypairs": [{"keypair": shape(row, None)} for row in found]}
    if found and len(found) == limit and call.one("limit") is not None:
        body["keypairs_links"] = links.page_link(call, "os-keypairs", found[-1]["name"])
    return body


def show(call: Call) -> Any:
    """One key pair. Raises KeypairNotFound."""
    user_id = _owner(call, "show")
    with call.app.store.api.read() as connection:
        found = store.find(connection, user_id, call.params["name"])
    return {"keypair": FULL.compile(call.version)(found, None)}


def create(call: Call) -> Any:
    """Import, or up to 2.91 generate. Raises InvalidKeypair, KeypairExists, TooManyKeyPairs."""
    wanted = call.body["keypair"]
    user_id = wanted.get("user_id") or str(call.context.user_id)
    call.demand(_RULE + "create", {"user_id": user_id})
    rules.check_name(wanted["name"], dots_and_at=call.at_least(_NAMES_FREER))
    made = _key(call, wanted, user_id)
    row = {
        "user_id": user_id,
        "name": wanted["name"],
        "type": made.type,
        "fingerprint": made.fingerprint,
        "public_key": made.public_key,
        "created_at": stamp(call.app.clock.now()),
    }

    def work(connection: Any) -> None:
        quotas.hold(connection, "key_pairs", user_id)
        project_id = str(call.context.project_id)
        limit = quota_limits.effective(call, connection, project_id, user_id)["key_pairs"]
        quota.demand("key_pairs", limit, store.count(connection, user_id))
        store.create(connection, row)

    call.app.store.api.transact(work)
    groups = frozenset({"generated"} if made.private_key else ())
    return {"keypair": CREATED.compile(call.version, groups)({**row, "private_key": made.private_key}, None)}


def _key(call: Call, wanted: dict[str, Any], user_id: str) -> rules.Key:
    kind = wanted.get("type", rules.SSH)
    if "public_key" in wanted:
        return rules.imported(kind, wanted["public_key"])
    return rules.generated(kind, user_id, call.app.clock.now())


def delete(call: Call) -> None:
    """Raises KeypairNotFound."""
    user_id = _owner(call, "delete")
    call.app.store.api.transact(lambda connection: store.delete(connection, user_id, call.params["name"]))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/os-keypairs",
        handler=index,
        query=fields.query(_USER, fields.key("limit", since=(2, 35)), fields.key("marker", since=(2, 35))),
        strict_query=STRICT_QUERY,
        summary="List key pairs",
    ),
    Endpoint(
        method="POST",
        path="/os-keypairs",
        handler=notices.telling(create, notices.keypair_event, notices.keypair),
        body=CREATE,
        statuses=(((2, 2), 201),),
        summary="Create or import a key pair",
    ),
    Endpoint(
        method="GET",
        path="/os-keypairs/{name}",
        handler=show,
        query=fields.query(_USER),
        strict_query=STRICT_QUERY,
        summary="Show a key pair",
    ),
    Endpoint(
        method="DELETE",
        path="/os-keypairs/{name}",
        handler=notices.telling(delete, "keypair.delete", notices.keypair),
        query=fields.query(_USER),
        strict_query=STRICT_QUERY,
        status=202,
        statuses=(((2, 2), 204),),
        summary="Delete a key pair",
    ),
)
