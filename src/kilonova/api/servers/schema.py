"""The one list of fields of a server's request bodies, each with the versions it lives in."""

import ipaddress
from collections.abc import Callable
from typing import Any

from kilonova.api.fields import (
    BOOLEAN,
    METADATA,
    NAME,
    TEXT_255,
    UUID,
    Json,
    integer,
    nullable,
)
from kilonova.kit.http.schema import Array, Field, Object, Schema, add_format

_DESCRIPTION: Json = {"type": ["string", "null"], "minLength": 0, "maxLength": 255, "format": "printable"}
_IPV4: Json = {"type": "string", "format": "ipv4"}
_IPV6: Json = {"type": "string", "format": "ipv6"}
TAG: Json = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
_DISK_CONFIG: Json = {"enum": ["AUTO", "MANUAL"]}
_USER_DATA: Json = {"type": "string", "format": "base64", "maxLength": 65535}
_IMAGE_REF: Json = {"type": "string", "maxLength": 255}
_PLAIN_NAME = {"pattern": r"^[a-zA-Z0-9]([a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?$"}
_HOSTNAME: Json = {"type": "string", "minLength": 1, "maxLength": 63, **_PLAIN_NAME}
_FQDN: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^[a-zA-Z0-9]([a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?)*$",
}
_CERTS: Json = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": 50,
    "uniqueItems": True,
    "items": {"type": "string", "minLength": 1},
}
_PERSONALITY = Array(
    {
        "type": "object",
        "properties": {"path": {"type": "string"}, "contents": {"type": "string", "format": "base64"}},
        "required": ["path", "contents"],
        "additionalProperties": False,
    }
)


def _parses(kind: Callable[[str], object]) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            kind(value)
        except ValueError:
            return False
        return True

    return check


add_format("ipv4", _parses(ipaddress.IPv4Address))
add_format("ipv6", lambda value: "%" not in value and _parses(ipaddress.IPv6Address)(value))


def shortened(columns: dict[str, Any]) -> dict[str, Any]:
    """The same columns with access addresses as they are kept: in their short form, none for an empty text."""
    for name in ("access_ip_v4", "access_ip_v6"):
        if columns.get(name) is not None:
            columns[name] = str(ipaddress.ip_address(columns[name])) if columns[name] else None
    return columns


_LOOSE_ID: Json = {"type": "string", "minLength": 1, "maxLength": 255}
_NETWORK = Object(
    (
        Field(name="uuid", schema=nullable(_LOOSE_ID), until=(2, 36)),
        Field(name="uuid", schema=nullable(UUID), since=(2, 37)),
        Field(name="port", schema=nullable(UUID)),
        Field(name="fixed_ip", schema={"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
        Field(name="tag", schema=TAG, since=(2, 32), until=(2, 36)),
        Field(name="tag", schema=TAG, since=(2, 42)),
    )
)
_NETWORKS = Array(_NETWORK)


class _Networks(Object):
    """``networks``: a list, or one of the words from 2.37 on."""

    def at(self, version: tuple[int, int]) -> Json:
        """A list of requests; from 2.37 ``auto`` or ``none`` too."""
        listed = _NETWORKS.at(version)
        return {"oneOf": [listed, {"type": "string", "enum": ["none", "auto"]}]} if version >= (2, 37) else listed

    def boundaries(self) -> set[tuple[int, int]]:
        """Versions at which it changes."""
        return _NETWORK.boundaries() | {(2, 37)}


_BLOCK_DEVICE = Object(
    (
        Field(name="boot_index", schema={"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$"}),
        Field(name="delete_on_termination", schema=BOOLEAN),
        Field(name="destination_type", schema={"type": "string", "enum": ["local", "volume"]}),
        Field(name="device_name", schema=nullable({"type": "string", "minLength": 1, "maxLength": 255})),
        Field(name="device_type", schema=nullable({"type": "string", "maxLength": 255})),
        Field(name="disk_bus", schema=nullable({"type": "string", "maxLength": 255})),
        Field(name="guest_format", schema=nullable({"type": "string", "maxLength": 255})),
        Field(name="no_device", schema={}),
        Field(name="source_type", schema={"type": "string", "enum": ["volume", "image", "snapshot", "blank"]}),
        Field(name="tag", schema=TAG, since=(2, 32), until=(2, 32)),
        Field(name="tag", schema=TAG, since=(2, 42)),
        Field(name="uuid", schema=nullable(UUID)),
        Field(name="volume_size", schema=nullable(integer(1))),
        Field(name="volume_type", schema=nullable(TEXT_255), since=(2, 67)),
    )
)
_GROUPS = Array({"type": "object", "properties": {"name": TEXT_255}, "additionalProperties": False})
_HINTS: Json = {
    "type": "object",
    "properties": {
        "group": UUID,
        "different_host": {"anyOf": [UUID, {"type": "array", "items": UUID}]},
        "same_host": {"anyOf": [UUID, {"type": "array", "items": UUID}]},
        "query": {"type": ["string", "object"]},
        "target_cell": TEXT_255,
        "different_cell": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "build_near_host_ip": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$"},
    },
    "additionalProperties": True,
}

_CREATE = (
    Field(name="name", schema=NAME, required=True),
    Field(name="imageRef", schema=_IMAGE_REF),
    Field(name="flavorRef", schema={"type": ["string", "integer"], "minLength": 1}, required=True),
    Field(name="adminPass", schema={"type": "string"}),
    Field(name="metadata", schema=METADATA),
    Field(name="networks", schema=_Networks(()), until=(2, 36)),
    Field(name="networks", schema=_Networks(()), since=(2, 37), required=True),
    Field(name="OS-DCF:diskConfig", schema=_DISK_CONFIG),
    Field(name="accessIPv4", schema=_IPV4),
    Field(name="accessIPv6", schema=_IPV6),
    Field(name="personality", schema=_PERSONALITY, until=(2, 56)),
    Field(name="key_name", schema=TEXT_255),
    Field(name="availability_zone", schema=TEXT_255),
    Field(name="config_drive", schema=BOOLEAN),
    Field(name="min_count", schema=integer(1)),
    Field(name="max_count", schema=integer(1)),
    Field(name="return_reservation_id", schema=BOOLEAN),
    Field(name="security_groups", schema=_GROUPS),
    Field(name="user_data", schema=_USER_DATA),
    Field(name="block_device_mapping", schema=Array({"type": "object"})),
    Field(name="block_device_mapping_v2", schema=Array(_BLOCK_DEVICE)),
    Field(name="description", schema=_DESCRIPTION, since=(2, 19)),
    Field(name="tags", schema=Array(TAG, {"maxItems": 50}), since=(2, 52)),
    Field(name="trusted_image_certificates", schema=_CERTS, since=(2, 63)),
    Field(name="host", schema=TEXT_255, since=(2, 74)),
    Field(name="hypervisor_hostname", schema=TEXT_255, since=(2, 74)),
    Field(name="hostname", schema=_HOSTNAME, since=(2, 90), until=(2, 93)),
    Field(name="hostname", schema=_FQDN, since=(2, 94)),
)
_UPDATE = (
    Field(name="name", schema=NAME),
    Field(name="OS-DCF:diskConfig", schema=_DISK_CONFIG),
    Field(name="accessIPv4", schema={"anyOf": [_IPV4, {"enum": [""]}]}),
    Field(name="accessIPv6", schema={"anyOf": [_IPV6, {"enum": [""]}]}),
    Field(name="description", schema=_DESCRIPTION, since=(2, 19)),
    Field(name="hostname", schema=_HOSTNAME, since=(2, 90), until=(2, 93)),
    Field(name="hostname", schema=_FQDN, since=(2, 94)),
    Field(name="pinned_availability_zone", schema=nullable(TEXT_255), since=(2, 104)),
)
_REBUILD = (
    Field(name="imageRef", schema=_IMAGE_REF, required=True),
    Field(name="name", schema=NAME),
    Field(name="adminPass", schema={"type": "string"}),
    Field(name="metadata", schema=METADATA),
    Field(name="preserve_ephemeral", schema=BOOLEAN),
    Field(name="OS-DCF:diskConfig", schema=_DISK_CONFIG),
    Field(name="accessIPv4", schema=_IPV4),
    Field(name="accessIPv6", schema=_IPV6),
    Field(name="personality", schema=_PERSONALITY, until=(2, 56)),
    Field(name="description", schema=_DESCRIPTION, since=(2, 19)),
    Field(name="key_name", schema=nullable(TEXT_255), since=(2, 54)),
    Field(name="user_data", schema=nullable(_USER_DATA), since=(2, 57)),
    Field(name="trusted_image_certificates", schema=_CERTS, since=(2, 63)),
    Field(name="hostname", schema=_HOSTNAME, since=(2, 90), until=(2, 93)),
    Field(name="hostname", schema=_FQDN, since=(2, 94)),
)

CREATE = Schema(
    Object(
        (
            Field(name="server", schema=Object(_CREATE), required=True),
            Field(name="os:scheduler_hints", schema=_HINTS),
            Field(name="OS-SCH-HNT:scheduler_hints", schema=_HINTS),
        )
    )
)
UPDATE = Schema(Object((Field(name="server", schema=Object(_UPDATE), required=True),)))
REBUILD = Schema(Object((Field(name="rebuild", schema=Object(_REBUILD), required=True),)))
