"""Every route of the service: Cinder's API v3 for compute, ``openstack volume …`` and the SDK."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.kit.errors import Invalid, NotFound
from kilonova.kit.http.app import Application, Authenticator, Service
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.lab.volumes.service import TYPE, ZONE, LabVolumes

NOTICE = "Kilonova lab volume service: speaks Cinder's v3 API for one machine. Not for production."
_PROJECT = re.compile(r"^/v3/(?:AUTH_)?(?:[0-9a-f]{32}|[0-9a-f-]{36})(?=/)(?=/[a-z])")
_LATEST = "3.71"


def _without_project(environ: dict[str, Any]) -> None:
    """Paths work with and without a project; whose request it is says the token."""
    environ["PATH_INFO"] = _PROJECT.sub("/v3", environ["PATH_INFO"])


def _versions(call: Call) -> Any:
    links = [{"rel": "self", "href": call.base_url.split("/v3")[0] + "/v3/"}]
    row = {"id": "v3.0", "status": "CURRENT", "version": _LATEST, "min_version": "3.0", "links": links}
    return {"versions": [{**row, "updated": "2026-01-01T00:00:00Z", "description": NOTICE}]}


def _volume(lab: LabVolumes, document: Mapping[str, Any]) -> dict[str, Any]:
    copied = ("id", "status", "size", "name", "description", "snapshot_id", "source_volid", "metadata", "multiattach")
    shown: dict[str, Any] = {name: document[name] for name in copied}
    shown |= {
        "availability_zone": ZONE,
        "bootable": "true" if document["bootable"] else "false",
        "created_at": document["created_at"],
        "updated_at": document["updated_at"],
        "volume_type": TYPE["name"],
        "encrypted": False,
        "user_id": document["user_id"],
        "replication_status": None,
        "consistencygroup_id": None,
        "os-vol-tenant-attr:tenant_id": document["project_id"],
        "os-vol-host-attr:host": "lab@files",
        "os-vol-mig-status-attr:migstat": None,
        "attachments": [_use(use) for use in lab.uses(document["id"])],
        "links": [],
    }
    if document["image"]:
        shown["volume_image_metadata"] = document["image"]
    return shown


def _use(attachment: Mapping[str, Any]) -> dict[str, Any]:
    connector = attachment["connector"] or {}
    return {
        "id": attachment["volume_id"],
        "volume_id": attachment["volume_id"],
        "attachment_id": attachment["id"],
        "server_id": attachment["server_id"],
        "device": connector.get("mountpoint"),
        "host_name": connector.get("host"),
        "attached_at": attachment["attached_at"],
    }


def _snapshot(document: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "status", "size", "volume_id", "name", "description", "metadata", "created_at", "updated_at")
    return {name: document[name] for name in names}


def _attachment(lab: LabVolumes, document: Mapping[str, Any]) -> dict[str, Any]:
    connected = document["connector"] is not None
    info: dict[str, Any] = {}
    if connected:
        path = str(lab.path(document["volume_id"]))
        info = {"driver_volume_type": "local", "device_path": path, "access_mode": "rw", "encrypted": False}
    return {
        "id": document["id"],
        "volume_id": document["volume_id"],
        "instance": document["server_id"],
        "status": document["status"],
        "attach_mode": "rw",
        "attached_at": document["attached_at"] or "",
        "detached_at": "",
        "connection_info": {**info, "attachment_id": document["id"]} if connected else {},
    }


def _listed(call: Call, kind: str) -> list[dict[str, Any]]:
    """A page: ``all_tenants``, ``name``, ``status``, ``metadata``, ``limit``, ``marker``, ``offset``."""
    lab: LabVolumes = call.app
    everyone = (call.one("all_tenants") or "0").lower() in ("1", "true")
    rows = lab.listed(kind, call.context, everyone=everyone)
    for name in ("name", "status", "volume_id"):
        if call.one(name) is not None:
            rows = [row for row in rows if row[name] == call.one(name)]
    pairs = re.findall(r"'([^']*)': ?'([^']*)'", call.one("metadata") or "")
    rows = [row for row in rows if all(row["metadata"].get(key) == value for key, value in pairs)]
    ids = [row["id"] for row in rows]
    start = call.integer("offset", 0) or 0
    if call.one("marker") is not None:
        if call.one("marker") not in ids:
            raise Invalid(f"marker {call.one('marker')} could not be found")
        start = ids.index(str(call.one("marker"))) + 1
    return rows[start : start + (call.integer("limit", 1000) or 1000)]


def _volumes(call: Call) -> Any:
    return {"volumes": [_volume(call.app, row) for row in _listed(call, "volume")]}


def _brief_volumes(call: Call) -> Any:
    return {"volumes": [{"id": row["id"], "name": row["name"], "links": []} for row in _listed(call, "volume")]}


def _body(call: Call, key: str) -> dict[str, Any]:
    found = call.body.get(key) if isinstance(call.body, dict) else None
    if not isinstance(found, dict):
        raise Invalid(f"The body must be an object with the key {key}")
    return found


def _create_volume(call: Call) -> Any:
    wanted = _body(call, "volume")
    size = wanted.get("size")
    if size is not None and (not str(size).isdigit() or int(size) < 1):
        raise Invalid(f"size: {size} is no number of GiB")
    if wanted.get("volume_type") not in (None, "", *TYPE.values()):
        raise NotFound(f"Volume type with name {wanted['volume_type']} could not be found.")
    return {"volume": _volume(call.app, call.app.create(call.context, wanted))}


def _show_volume(call: Call) -> Any:
    return {"volume": _volume(call.app, call.app.find("volume", call.params["id"], call.context))}


def _update(kind: str) -> Any:
    def update(call: Call) -> Any:
        call.app.find(kind, call.params["id"], call.context)
        changes = {name: _body(call, kind)[name] for name in ("name", "description") if name in _body(call, kind)}
        document = call.app.change(kind, call.params["id"], changes)
        return {kind: _volume(call.app, document) if kind == "volume" else _snapshot(document)}

    return update


def _delete(kind: str) -> Any:
    def delete(call: Call) -> None:
        call.app.delete(kind, call.params["id"], call.context)

    return delete


def _act_on_volume(call: Call) -> Any:
    lab: LabVolumes = call.app
    ident = call.params["id"]
    lab.find("volume", ident, call.context)
    action, values = next(iter(call.body.items())) if isinstance(call.body, dict) and call.body else ("", {})
    if action == "os-extend":
        lab.extend(ident, int(values["new_size"]), call.context)
    elif action == "os-set_bootable":
        lab.change("volume", ident, {"bootable": str(values["bootable"]).lower() == "true"})
    elif action == "os-migrate_volume_completion":
        return Reply({"save_volume_id": ident if values.get("error") else values["new_volume"]}, status=200)
    elif action != "os-extend_volume_completion":
        raise Invalid(f"There is no such action: {action}")
    return None


def _snapshots(call: Call) -> Any:
    return {"snapshots": [_snapshot(row) for row in _listed(call, "snapshot")]}


def _create_snapshot(call: Call) -> Any:
    wanted = _body(call, "snapshot")
    if not isinstance(wanted.get("volume_id"), str):
        raise Invalid("snapshot.volume_id is required")
    return {"snapshot": _snapshot(call.app.snapshot(call.context, wanted))}


def _show_snapshot(call: Call) -> Any:
    return {"snapshot": _snapshot(call.app.find("snapshot", call.params["id"], call.context))}


def _attachments(call: Call) -> Any:
    rows: Sequence[Mapping[str, Any]] = call.app.listed("attachment", call.context, everyone=True)
    server = call.one("instance_id")
    rows = [row for row in rows if server in (None, row["server_id"])]
    return {"attachments": [_attachment(call.app, row) for row in rows]}


def _create_attachment(call: Call) -> Any:
    wanted = _body(call, "attachment")
    made = call.app.reserve(call.context, str(wanted.get("volume_uuid")), str(wanted.get("instance_uuid")))
    if wanted.get("connector"):
        made = call.app.attach(made["id"], call.context, connector=wanted["connector"], status="attaching")
    return {"attachment": _attachment(call.app, made)}


def _show_attachment(call: Call) -> Any:
    return {"attachment": _attachment(call.app, call.app.find("attachment", call.params["id"], call.context))}


def _connect(call: Call) -> Any:
    connector = _body(call, "attachment").get("connector")
    if not isinstance(connector, dict):
        raise Invalid("attachment.connector is required")
    changed = call.app.attach(call.params["id"], call.context, connector=connector, status="attaching")
    return {"attachment": _attachment(call.app, changed)}


def _complete(call: Call) -> None:
    call.app.attach(call.params["id"], call.context, status="attached")


def _release(call: Call) -> Any:
    call.app.release(call.params["id"], call.context)
    return _attachments(call)


def _type() -> dict[str, Any]:
    return {**TYPE, "is_public": True, "description": "Files of this machine", "extra_specs": {}, "qos_specs_id": None}


def _types(_call: Call) -> Any:
    return {"volume_types": [_type()]}


def _one_type(call: Call) -> Any:
    if call.params["id"] not in ("default", *TYPE.values()):
        raise NotFound(f"Volume type {call.params['id']} could not be found.")
    return {"volume_type": _type()}


def _limits(call: Call) -> Any:
    rows = call.app.listed("volume", call.context, everyone=False)
    used = {"totalVolumesUsed": len(rows), "totalGigabytesUsed": sum(row["size"] for row in rows)}
    names = ("maxTotalVolumes", "maxTotalVolumeGigabytes", "maxTotalSnapshots", "maxTotalBackups")
    return {"limits": {"rate": [], "absolute": {**dict.fromkeys(names, -1), **used}}}


def _quotas(call: Call) -> Any:
    names = ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "per_volume_gigabytes", "groups")
    return {"quota_set": {"id": call.params["id"], **dict.fromkeys(names, -1)}}


def _usual_quotas(call: Call) -> None:
    """There are no limits here, so a project's own are always the usual ones; the CLI takes back all at once."""
    del call


def _zones(_call: Call) -> Any:
    return {"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}}]}


_ROWS: tuple[tuple[str, str, Any, int], ...] = (
    ("GET", "/volumes", _brief_volumes, 200),
    ("GET", "/volumes/detail", _volumes, 200),
    ("POST", "/volumes", _create_volume, 202),
    ("GET", "/volumes/{id}", _show_volume, 200),
    ("PUT", "/volumes/{id}", _update("volume"), 200),
    ("DELETE", "/volumes/{id}", _delete("volume"), 202),
    ("POST", "/volumes/{id}/action", _act_on_volume, 202),
    ("GET", "/snapshots", _snapshots, 200),
    ("GET", "/snapshots/detail", _snapshots, 200),
    ("POST", "/snapshots", _create_snapshot, 202),
    ("GET", "/snapshots/{id}", _show_snapshot, 200),
    ("PUT", "/snapshots/{id}", _update("snapshot"), 200),
    ("DELETE", "/snapshots/{id}", _delete("snapshot"), 202),
    ("GET", "/attachments", _attachments, 200),
    ("GET", "/attachments/detail", _attachments, 200),
    ("POST", "/attachments", _create_attachment, 200),
    ("GET", "/attachments/{id}", _show_attachment, 200),
    ("PUT", "/attachments/{id}", _connect, 200),
    ("DELETE", "/attachments/{id}", _release, 200),
    ("POST", "/attachments/{id}/action", _complete, 204),
    ("GET", "/types", _types, 200),
    ("GET", "/types/{id}", _one_type, 200),
    ("GET", "/limits", _limits, 200),
    ("GET", "/os-quota-sets/{id}", _quotas, 200),
    ("DELETE", "/os-quota-sets/{id}", _usual_quotas, 200),
    ("GET", "/os-availability-zone", _zones, 200),
)


def endpoints() -> list[Endpoint]:
    """Everything the service answers."""
    found = [
        Endpoint(method=method, path=f"/v3{path}", handler=handler, status=status)
        for method, path, handler, status in _ROWS
    ]
    found.append(Endpoint(method="GET", path="/", handler=_versions, public=True, status=300))
    found.append(Endpoint(method="GET", path="/v3", handler=_versions, public=True))
    return found


def build(lab: LabVolumes, auth: Authenticator) -> Application:
    """The WSGI application."""
    return Application(
        Service(name="volume", endpoints=endpoints(), app=lab, auth=auth, rewrite=_without_project, wrong_method=404)
    )
