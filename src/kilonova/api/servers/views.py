"""A server's documents from one list of fields: create, list, detail, show and update at every version."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kilonova.api import links
from kilonova.domain.server import status_of
from kilonova.kit import codec
from kilonova.kit.clock import show
from kilonova.kit.codec import Fragment
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call

Row = Mapping[str, Any]
_WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "DELETED", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
_WITH_FAULT = frozenset({"ERROR", "DELETED"})
ATTRIBUTES_RULE = "os_compute_api:os-extended-server-attributes"
SPECS_RULE = "os_compute_api:servers:show:flavor-extra-specs"
HOST_STATUS_RULE = "os_compute_api:servers:show:host_status"
UNKNOWN_RULE = "os_compute_api:servers:show:host_status:unknown-only"


@dataclass(frozen=True)
class View:
    """What a document needs beside the row."""

    self_links: Callable[[str], list[dict[str, str]]]
    flavor_base: str
    image_base: str
    instance_name: str
    specs: bool = True
    host_status: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, list[str]] = field(default_factory=dict)
    """Server UUID → server group UUIDs."""


def _image(row: Row, view: View) -> Any:
    if not row["image_ref"]:
        return ""
    ref = row["image_ref"]
    return {"id": ref, "links": [{"rel": "bookmark", "href": view.image_base + ref}]}


def _image_with_properties(row: Row, view: View) -> Any:
    found = _image(row, view)
    if found and row["image"]:
        found["properties"] = codec.loads(row["image"]).get("properties", {})
    return found


def _flavor_link(row: Row, view: View) -> Any:
    return {"id": row["flavor_id"], "links": [{"rel": "bookmark", "href": view.flavor_base + row["flavor_id"]}]}


def _flavor(row: Row, view: View) -> Any:
    if view.specs:
        return Fragment(row["flavor"])
    return {k: v for k, v in codec.loads(row["flavor"]).items() if k != "extra_specs"}


def host_id(project_id: str, host: str | None) -> str:
    """``hostId``: tells hosts apart within a project without naming them."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest() if host else ""


def _plain_addresses(row: Row, _view: View) -> Any:
    found = codec.loads(row["addresses"])
    return {
        label: [{"version": entry["version"], "addr": entry["addr"]} for entry in entries]
        for label, entries in found.items()
    }


def _zone(row: Row, _view: View) -> str:
    return row["availability_zone"] or ""


def _groups(row: Row, view: View) -> list[str]:
    return view.groups.get(row["uuid"], [])


def _volumes(row: Row, _view: View) -> Any:
    return [{"id": volume["id"]} for volume in codec.loads(row["volumes"])] if row["volumes"] != "[]" else []


def _volumes_with_deletion(row: Row, _view: View) -> Any:
    if row["volumes"] == "[]":
        return []
    return [{"id": v["id"], "delete_on_termination": v["delete_on_termination"]} for v in codec.loads(row["volumes"])]


def _json(column: str) -> Callable[[Row, View], Any]:
    return lambda row, _view: Fragment(row[column])


def _host_property(name: str) -> Callable[[Row, View], Any]:
    return lambda row, _view: (codec.loads(row["image"]).get("properties", {}).get(name) or "") if row["image"] else ""


_CORE = (
    Out("id", "uuid"),
    Out("name"),
    Out("status", lambda row, _view: status_of(row["vm_state"], row["task_state"])),
    Out("tenant_id", "project_id"),
    Out("user_id"),
    Out("metadata", _json("metadata")),
    Out("hostId", lambda row, _view: host_id(row["project_id"], row["host"])),
    Out("image", _image, until=(2, 97)),
    Out("image", _image_with_properties, since=(2, 98)),
    Out("flavor", _flavor_link, until=(2, 46)),
    Out("flavor", _flavor, since=(2, 47)),
    Out("created", lambda row, _view: show(row["created_at"])),
    Out("updated", lambda row, _view: show(row["updated_at"])),
    Out("accessIPv4", lambda row, _view: row["access_ip_v4"] or ""),
    Out("accessIPv6", lambda row, _view: row["access_ip_v6"] or ""),
    Out("links", lambda row, view: view.self_links(row["uuid"])),
    Out("OS-DCF:diskConfig", "disk_config"),
    Out("locked", lambda row, _view: row["locked_by"] is not None, since=(2, 9)),
    Out("description", since=(2, 19)),
    Out("tags", _json("tags"), since=(2, 26)),
    Out("trusted_image_certificates", lambda row, _view: Fragment(row["trusted_certs"] or "null"), since=(2, 63)),
    Out("locked_reason", since=(2, 73)),
)
_GROUP_FIELD = (Out("server_groups", _groups, since=(2, 71)),)
_ADDRESSES = (Out("addresses", _json("addresses")),)
_ADMIN = (
    Out("OS-EXT-SRV-ATTR:host", "host", group="attributes"),
    Out("OS-EXT-SRV-ATTR:instance_name", lambda row, view: view.instance_name % row["id"], group="attributes"),
    Out("OS-EXT-SRV-ATTR:hypervisor_hostname", "node", group="attributes"),
    Out("OS-EXT-SRV-ATTR:reservation_id", "reservation_id", since=(2, 3), group="attributes"),
    Out("OS-EXT-SRV-ATTR:launch_index", "launch_index", since=(2, 3), group="attributes"),
    Out("OS-EXT-SRV-ATTR:hostname", "hostname", since=(2, 3), until=(2, 89), group="attributes"),
    Out("OS-EXT-SRV-ATTR:kernel_id", _host_property("kernel_id"), since=(2, 3), group="attributes"),
    Out("OS-EXT-SRV-ATTR:ramdisk_id", _host_property("ramdisk_id"), since=(2, 3), group="attributes"),
    Out("OS-EXT-SRV-ATTR:root_device_name", "root_device_name", since=(2, 3), group="attributes"),
    Out("OS-EXT-SRV-ATTR:user_data", "user_data", since=(2, 3), group="attributes"),
)
_EXTENDED = (
    Out("config_drive", lambda row, _view: "True" if row["config_drive"] else ""),
    Out("key_name"),
    Out("OS-EXT-AZ:availability_zone", _zone),
    Out("OS-EXT-STS:power_state", "power_state"),
    Out("OS-EXT-STS:task_state", "task_state"),
    Out("OS-EXT-STS:vm_state", "vm_state"),
    Out("OS-SRV-USG:launched_at", "launched_at"),
    Out("OS-SRV-USG:terminated_at", "terminated_at"),
    Out("os-extended-volumes:volumes_attached", _volumes, until=(2, 2)),
    Out("os-extended-volumes:volumes_attached", _volumes_with_deletion, since=(2, 3)),
    Out(
        "host_status", lambda row, view: view.host_status.get(row["host"] or "", ""), since=(2, 16), group="host_status"
    ),
    Out("OS-EXT-SRV-ATTR:hostname", "hostname", since=(2, 90)),
    Out("pinned_availability_zone", "pinned_zone", since=(2, 96)),
    Out("scheduler_hints", _json("hints"), since=(2, 100)),
    *_ADMIN,
)
_SECURITY = (Out("security_groups", lambda row, _view: _group_names(row)),)


def _group_names(row: Row) -> Any:
    return [{"name": group["name"]} for group in codec.loads(row["security_groups"])]


DETAIL = Document((*_CORE, *_ADDRESSES, *_EXTENDED, *_SECURITY))
SHOW = Document((*_CORE, *_ADDRESSES, *_GROUP_FIELD, *_EXTENDED, *_SECURITY))
BRIEF = Document((Out("id", "uuid"), Out("name"), Out("links", lambda row, view: view.self_links(row["uuid"]))))


def _later(out: Out) -> Out:
    """The field as the update reply has it: only from 2.75 on."""
    return Out(out.name, out.source, max(out.since, (2, 75)), out.until, out.group)


UPDATED = Document(
    (
        *_CORE,
        Out("addresses", _plain_addresses, until=(2, 74)),
        Out("addresses", _json("addresses"), since=(2, 75)),
        *_GROUP_FIELD,
        *(_later(out) for out in (*_EXTENDED, *_SECURITY) if out.until is None or out.until >= (2, 75)),
    )
)

REBUILT = Document(
    (
        # Its own user_data takes the place of the one for administrators.
        *(out for out in UPDATED.fields if out.name != "OS-EXT-SRV-ATTR:user_data"),
        Out("key_name", since=(2, 54), until=(2, 74)),
        Out("user_data", since=(2, 57)),
    )
)


def groups_of(call: Call, target: Mapping[str, Any]) -> frozenset[str]:
    """Which optional groups of fields the caller sees."""
    found = set()
    if call.allow(ATTRIBUTES_RULE, target):
        found.add("attributes")
    if call.at_least(16) and (call.allow(HOST_STATUS_RULE, target) or call.allow(UNKNOWN_RULE, target)):
        found.add("host_status")
    return frozenset(found)


def view_of(call: Call, target: Mapping[str, Any], **details: Any) -> View:
    """The View of a call."""
    return View(
        self_links=links.linker(call, "servers"),
        flavor_base=links.bookmark(call, "flavors/"),
        image_base=links.bookmark(call, "images/"),
        instance_name=call.app.compute.instance_name_template,
        specs=not call.at_least(47) or call.allow(SPECS_RULE, target),
        **details,
    )


def finish(document: dict[str, Any], row: Row) -> dict[str, Any]:
    """The keys that depend on the status are added; without ports or security groups there is not even their key."""
    status = document["status"]
    if "security_groups" in document and (row["addresses"] == "{}" or not document["security_groups"]):
        del document["security_groups"]
    if status in _WITH_PROGRESS:
        document["progress"] = row["progress"]
    if status in _WITH_FAULT and row["fault"]:
        document["fault"] = codec.loads(row["fault"])
    return document


def strip_fault(document: dict[str, Any], *, details: bool) -> dict[str, Any]:
    """Details of a fault are for administrators, and for owners when the server cannot be built."""
    fault = document.get("fault")
    if fault and not details:
        fault.pop("details", None)
    return document


def documents(
    call: Call, rows: Sequence[Row], shape_of: Document, target: Mapping[str, Any], **details: Any
) -> list[Any]:
    """The documents of many rows."""
    shape = shape_of.compile(call.version, groups_of(call, target))
    view = view_of(call, target, **details)
    admin = call.allow("context_is_admin", {})
    return [strip_fault(finish(shape(row, view), row), details=admin) for row in rows]
