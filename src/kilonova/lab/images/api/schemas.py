"""JSON schemas that clients read to learn what an image has."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.lab.images.document import WRITABLE

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["null", "string"]}
_MAYBE_NUMBER = {"type": ["null", "integer"]}
_STATUSES = ["queued", "saving", "active", "deactivated"]
_READ_ONLY: dict[str, dict[str, Any]] = {
    "status": {"type": "string", "enum": _STATUSES},
    "size": _MAYBE_NUMBER,
    "virtual_size": _MAYBE_NUMBER,
    "checksum": _MAYBE_TEXT,
    "os_hash_algo": _MAYBE_TEXT,
    "os_hash_value": _MAYBE_TEXT,
    "created_at": _TEXT,
    "updated_at": _TEXT,
    "self": _TEXT,
    "file": _TEXT,
    "schema": _TEXT,
}
IMAGE: dict[str, Any] = {
    "name": "image",
    "properties": {
        "id": {"type": "string", "description": "An identifier for the image"},
        **WRITABLE,
        **{name: {**schema, "readOnly": True} for name, schema in _READ_ONLY.items()},
    },
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
MEMBER: dict[str, Any] = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string"},
        "image_id": {"type": "string"},
        "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
        "created_at": _TEXT,
        "updated_at": _TEXT,
        "schema": {"type": "string", "readOnly": True},
    },
}


def _list_of(noun: str, item: dict[str, Any]) -> dict[str, Any]:
    links = [{"rel": "describedby", "href": "{schema}"}]
    extra: dict[str, Any] = {}
    if noun == "images":
        extra = {"first": _TEXT, "next": _TEXT}
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
    return {
        "name": noun,
        "properties": {noun: {"type": "array", "items": item}, "schema": _TEXT, **extra},
        "links": links,
    }


_SCHEMAS = {
    "image": IMAGE,
    "images": _list_of("images", IMAGE),
    "member": MEMBER,
    "members": _list_of("members", MEMBER),
}


def _show(call: Call) -> dict[str, Any]:
    return _SCHEMAS[call.path.rsplit("/", 1)[1]]


ENDPOINTS = [Endpoint(method="GET", path=f"/v2/schemas/{name}", handler=_show) for name in _SCHEMAS]
