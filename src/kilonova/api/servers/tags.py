"""``/servers/{server_id}/tags`` (from 2.26)."""

from typing import Any

from kilonova.api import fields, links, notices
from kilonova.api.servers import finding
from kilonova.kit import codec
from kilonova.kit.errors import Conflict, Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Array, Field
from kilonova.store import servers

_RULES = "os_compute_api:os-server-tags:"
_MOST = 50
_LONGEST = 60
_STABLE = frozenset({"active", "stopped", "paused", "suspended"})


class TagNotFound(NotFound):
    """The server does not have the tag."""

    template = "Server {uuid} has no tag '{tag}'"


def index(call: Call) -> Any:
    """All tags."""
    _cell, row = finding.find(call, _RULES + "index")
    return {"tags": codec.loads(row["tags"])}


def show(call: Call) -> None:
    """204 if the server has the tag."""
    _cell, row = finding.find(call, _RULES + "show")
    if call.params["tag"] not in codec.loads(row["tags"]):
        raise TagNotFound(uuid=row["uuid"], tag=call.params["tag"])


def add(call: Call) -> Reply:
    """201 for a new tag, 204 for one that was there."""
    tag = call.params["tag"]
    if not 1 <= len(tag) <= _LONGEST or "," in tag or "/" in tag:
        raise Invalid(f"tag: '{tag}' must be 1 to {_LONGEST} characters without comma and slash")
    cell, row = _mutable(call, "update")
    old = codec.loads(row["tags"])
    if tag in old:
        return Reply(status=204)
    if len(old) >= _MOST:
        raise Invalid(f"The number of tags exceeded the per-server limit {_MOST}")
    _write(call, cell, row, [*old, tag])
    return Reply(status=201, headers={"Location": f"{links.base(call)}/servers/{row['uuid']}/tags/{tag}"})


def replace(call: Call) -> Any:
    """Set all tags."""
    cell, row = _mutable(call, "update_all")
    tags = list(dict.fromkeys(call.body["tags"]))
    _write(call, cell, row, tags)
    return {"tags": tags}


def delete(call: Call) -> None:
    """Remove one tag."""
    cell, row = _mutable(call, "delete")
    old, tag = codec.loads(row["tags"]), call.params["tag"]
    if tag not in old:
        raise TagNotFound(uuid=row["uuid"], tag=tag)
    _write(call, cell, row, [t for t in old if t != tag])


def delete_all(call: Call) -> None:
    """Remove all tags."""
    cell, row = _mutable(call, "delete_all")
    _write(call, cell, row, [])


def _mutable(call: Call, rule: str) -> tuple[Any, Any]:
    cell, row = finding.find(call, _RULES + rule)
    if row["vm_state"] not in _STABLE:
        raise Conflict(f"Cannot '{rule} tags' instance {row['uuid']} while it is in vm_state {row['vm_state']}")
    return cell, row


def _write(call: Call, cell: Any, row: Any, tags: list[str]) -> None:
    values = {"tags": codec.text(tags), "updated_at": finding.now(call)}
    with cell.database.write() as connection:
        if not servers.update(connection, row["uuid"], values, servers.tags_are(row["tags"])):
            raise Conflict(f"The tags of instance {row['uuid']} were changed by another request; try again")


_TAG = {"type": "string", "minLength": 1, "maxLength": _LONGEST, "pattern": "^[^,/]*$"}
_BODY = fields.body(Field(name="tags", schema=Array(_TAG, {"maxItems": _MOST}), required=True))
_PATH = "/servers/{server_id}/tags"
_SINCE = (2, 26)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=index, since=_SINCE, summary="List tags"),
    Endpoint(
        method="PUT", path=_PATH, handler=notices.changed(replace), since=_SINCE, body=_BODY, summary="Replace tags"
    ),
    Endpoint(
        method="DELETE",
        path=_PATH,
        handler=notices.changed(delete_all),
        since=_SINCE,
        status=204,
        summary="Remove all tags",
    ),
    Endpoint(method="GET", path=_PATH + "/{tag}", handler=show, since=_SINCE, status=204, summary="Check a tag"),
    Endpoint(method="PUT", path=_PATH + "/{tag}", handler=notices.changed(add), since=_SINCE, summary="Add a tag"),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{tag}",
        handler=notices.changed(delete),
        since=_SINCE,
        status=204,
        summary="Remove a tag",
    ),
)
