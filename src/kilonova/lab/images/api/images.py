"""``/v2/images`` and ``/v2/images/{id}``: make, show, delete, deactivate, tag."""

import uuid
from typing import Any

from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Field, Object, Schema, is_uuid
from kilonova.lab.images import access
from kilonova.lab.images.api import listing, patching
from kilonova.lab.images.document import WRITABLE, demand_settable, document
from kilonova.lab.images.store.images import ImageNotFound, Row

_PATCH_BODY = Schema({"type": "array", "items": {"type": "object"}})
_CREATE = Schema(
    Object(
        (*(Field(name=name, schema=schema) for name, schema in WRITABLE.items()), Field(name="id", schema={})),
        extra={"type": "string", "maxLength": 65535},
    )
)


def _create(call: Call) -> Reply:
    given: dict[str, Any] = call.body if call.body is not None else {}
    if isinstance(given, dict):
        for name in given:
            demand_settable(name)
    _CREATE.validate(given, call.version)
    access.demand_writer(call.context, "add_image")
    row = _row(call, given)
    call.app.store.add(row, given.get("tags", ()))
    path = f"/v2/images/{row['id']}"
    return Reply(document(call.app.store.get(row["id"])), headers={"Location": f"{call.base_url}{path}"})


def _row(call: Call, given: dict[str, Any]) -> Row:
    visibility = given.get("visibility", "shared")
    access.demand_publisher(call.context, visibility)
    owner = given.get("owner", call.context.project_id)
    if owner != call.context.project_id and not call.context.is_admin:
        raise access.NotAllowed(action="add_image for another owner")
    now = call.app.clock.now()
    base = {k: v for k, v in given.items() if k in WRITABLE and k != "tags"}
    return {
        **base,
        "id": _id(given),
        "status": "queued",
        "visibility": visibility,
        "owner": owner,
        "created_at": now,
        "updated_at": now,
        "properties": {k: v for k, v in given.items() if k not in WRITABLE and k != "id"},
    }


def _id(given: dict[str, Any]) -> str:
    wanted = given.get("id")
    if wanted is None:
        return str(uuid.uuid4())
    # The id becomes a file name, so its form is checked strictly.
    if not isinstance(wanted, str) or not is_uuid(wanted):
        raise Invalid("Invalid input for field/attribute id. It must be a UUID")
    return str(uuid.UUID(wanted))


def _show(call: Call) -> dict[str, Any]:
    return document(access.visible(call.app.store, call.context, call.params["image_id"]))


def _delete(call: Call) -> None:
    row = access.changeable(call.app.store, call.context, call.params["image_id"], "delete_image")
    if row["protected"]:
        raise access.Protected(image_id=row["id"])
    call.app.store.remove(row["id"])
    call.app.files.remove(row["id"])


def _deactivate(call: Call) -> None:
    _switch(call, "active", "deactivated")


def _reactivate(call: Call) -> None:
    _switch(call, "deactivated", "active")


def _switch(call: Call, before: str, after: str) -> None:
    """Doing it twice is fine; from any other status it is refused."""
    row = access.visible(call.app.store, call.context, call.params["image_id"])
    if not call.context.is_admin:
        raise access.NotAllowed(action="deactivate" if after == "deactivated" else "reactivate")
    values = {"status": after, "updated_at": call.app.clock.now()}
    if row["status"] != after and not call.app.store.move(row["id"], before, values):
        raise access.NotAllowed(action=f"status change from {row['status']} to {after}")


def _tag(call: Call) -> None:
    row = access.changeable(call.app.store, call.context, call.params["image_id"], "modify_image")
    tag = call.params["tag"]
    if len(tag) > 255:  # noqa: PLR2004  # Glance's own length for names
        raise Invalid("Invalid input for field/attribute tag. It is longer than 255 characters")
    call.app.store.change(row["id"], {"updated_at": call.app.clock.now()}, {*row["tags"], tag})


def _untag(call: Call) -> None:
    row = access.changeable(call.app.store, call.context, call.params["image_id"], "modify_image")
    if call.params["tag"] not in row["tags"]:
        raise ImageNotFound(f"Could not find tag {call.params['tag']} of image {row['id']}")
    rest = [tag for tag in row["tags"] if tag != call.params["tag"]]
    call.app.store.change(row["id"], {"updated_at": call.app.clock.now()}, rest)


_ONE = "/v2/images/{image_id}"
ENDPOINTS = [
    Endpoint(method="POST", path="/v2/images", handler=_create, status=201),
    Endpoint(method="GET", path="/v2/images", handler=listing.list_images),
    Endpoint(method="GET", path=_ONE, handler=_show),
    Endpoint(method="PATCH", path=_ONE, handler=patching.patch_image, body=_PATCH_BODY),
    Endpoint(method="DELETE", path=_ONE, handler=_delete, status=204),
    Endpoint(method="POST", path=f"{_ONE}/actions/deactivate", handler=_deactivate, status=204),
    Endpoint(method="POST", path=f"{_ONE}/actions/reactivate", handler=_reactivate, status=204),
    Endpoint(method="PUT", path=f"{_ONE}/tags/{{tag}}", handler=_tag, status=204),
    Endpoint(method="DELETE", path=f"{_ONE}/tags/{{tag}}", handler=_untag, status=204),
]
