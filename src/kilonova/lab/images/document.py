"""Images as the API shows and takes them: base attributes, properties, read-only names."""

from typing import Any

from kilonova.kit.errors import Forbidden, Invalid
from kilonova.lab.images.store.images import Row

DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso", "gpt")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
VISIBILITIES = ("community", "public", "private", "shared")
READ_ONLY = frozenset(
    {
        "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at", "updated_at",
        "file", "self", "schema", "direct_url", "stores",
    }
)  # fmt: skip
RESERVED = frozenset({"locations", "deleted", "deleted_at", "is_public", "properties"})
_NAME = {"type": ["null", "string"], "maxLength": 255}
_LIMIT = {"type": "integer", "minimum": 0, "maximum": 2147483647}
WRITABLE: dict[str, dict[str, Any]] = {
    "name": _NAME,
    "visibility": {"type": "string", "enum": list(VISIBILITIES)},
    "owner": _NAME,
    "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "container_format": {"type": ["null", "string"], "enum": [None, *CONTAINER_FORMATS]},
    "disk_format": {"type": ["null", "string"], "enum": [None, *DISK_FORMATS]},
    "min_disk": _LIMIT,
    "min_ram": _LIMIT,
    "tags": {"type": "array", "uniqueItems": False, "items": {"type": "string", "maxLength": 255}},
}
"""Base attributes a client may set, with their JSON schema."""


class ReadOnly(Forbidden):
    """The attribute is the service's to write."""

    template = "Attribute '{name}' is read-only."


class Reserved(Forbidden):
    """The name cannot be a property's."""

    template = "Attribute '{name}' is reserved."


def document(row: Row) -> dict[str, Any]:
    """An image as the API shows it."""
    path = f"/v2/images/{row['id']}"
    shown = {key: value for key, value in row.items() if key != "properties"}
    shown["created_at"] = f"{row['created_at']:%Y-%m-%dT%H:%M:%SZ}"
    shown["updated_at"] = f"{row['updated_at']:%Y-%m-%dT%H:%M:%SZ}"
    return {**row["properties"], **shown, "self": path, "file": f"{path}/file", "schema": "/v2/schemas/image"}


def demand_settable(name: str) -> None:
    """Raises ReadOnly, Reserved, Invalid for a name that a client cannot write."""
    if name in READ_ONLY:
        raise ReadOnly(name=name)
    if name in RESERVED:
        raise Reserved(name=name)
    if not name or len(name) > 255:  # noqa: PLR2004  # Glance's own length for names
        raise Invalid(f"Provided object does not match schema 'image': the name {name[:40]!r} is not usable")
