"""``/v2/images/{id}/members``: with which projects an image is shared."""

from typing import Any

from kilonova.kit.errors import Conflict, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.lab.images import access
from kilonova.lab.images.store.images import Row


class MemberNotFound(NotFound):
    """The image is not shared with them, as far as the caller may know."""

    template = "Could not find member {member_id} of image {image_id}"


class MemberExists(Conflict):
    """It is shared with them already."""

    template = "Image member {member_id} already exists for image {image_id}"


def _document(row: Row) -> dict[str, Any]:
    return {
        "image_id": row["image_id"],
        "member_id": row["member_id"],
        "status": row["status"],
        "created_at": f"{row['created_at']:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{row['updated_at']:%Y-%m-%dT%H:%M:%SZ}",
        "schema": "/v2/schemas/member",
    }


def _seen(call: Call) -> list[Row]:
    """The owner sees all members, a member only itself. Raises ImageNotFound, NotAllowed."""
    row = access.visible(call.app.store, call.context, call.params["image_id"])
    if row["visibility"] != "shared":
        raise access.NotAllowed(action="member listing of an image that is not shared")
    rows: list[Row] = call.app.store.members(row["id"])
    if call.context.is_admin or access.owns(call.context, row):
        return rows
    return [member for member in rows if member["member_id"] == call.context.project_id]


def _list(call: Call) -> dict[str, Any]:
    return {"members": [_document(row) for row in _seen(call)], "schema": "/v2/schemas/members"}


def _show(call: Call) -> dict[str, Any]:
    for row in _seen(call):
        if row["member_id"] == call.params["member_id"]:
            return _document(row)
    raise MemberNotFound(**call.params)


def _shared(call: Call, action: str) -> Row:
    row = access.changeable(call.app.store, call.context, call.params["image_id"], action)
    if row["visibility"] != "shared":
        raise access.NotAllowed(action=f"{action} on an image that is not shared")
    return row


def _add(call: Call) -> dict[str, Any]:
    row, member = _shared(call, "add_member"), call.body["member"]
    if not call.app.store.add_member(row["id"], member, call.app.clock.now()):
        raise MemberExists(member_id=member, image_id=row["id"])
    added = next(m for m in call.app.store.members(row["id"]) if m["member_id"] == member)
    return _document(added)


def _answer(call: Call) -> dict[str, Any]:
    """Only the member accepts or rejects (or an admin)."""
    member = call.params["member_id"]
    found = [row for row in _seen(call) if row["member_id"] == member]
    if not found:
        raise MemberNotFound(**call.params)
    if not call.context.is_admin and member != call.context.project_id:
        raise access.NotAllowed(action="modify_member")
    call.app.store.set_member(found[0]["image_id"], member, call.body["status"], call.app.clock.now())
    return _show(call)


def _remove(call: Call) -> None:
    row = _shared(call, "delete_member")
    if not call.app.store.remove_member(row["id"], call.params["member_id"]):
        raise MemberNotFound(**call.params)


_MEMBER = {"type": "string", "minLength": 1, "maxLength": 255}
_STATUS = {"enum": ["pending", "accepted", "rejected"]}
_NEW = Schema(Object((Field(name="member", schema=_MEMBER, required=True),)))
_NEW_STATUS = Schema(Object((Field(name="status", schema=_STATUS, required=True),)))
_ALL = "/v2/images/{image_id}/members"
_ONE = f"{_ALL}/{{member_id}}"
ENDPOINTS = [
    Endpoint(method="GET", path=_ALL, handler=_list),
    Endpoint(method="POST", path=_ALL, handler=_add, body=_NEW),
    Endpoint(method="GET", path=_ONE, handler=_show),
    Endpoint(method="PUT", path=_ONE, handler=_answer, body=_NEW_STATUS),
    Endpoint(method="DELETE", path=_ONE, handler=_remove, status=204),
]
