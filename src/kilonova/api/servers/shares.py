"""``/servers/{server_id}/shares``: file systems of the share service that a server mounts (2.97)."""

import uuid as uuids
from collections.abc import Mapping
from typing import Any

from kilonova.api import fields
from kilonova.api.servers import finding
from kilonova.clients.manila.contract import Share
from kilonova.domain import lifecycle
from kilonova.kit.errors import Conflict, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field
from kilonova.operations.attach_share import AttachShare
from kilonova.operations.detach_share import DetachShare
from kilonova.store import shares

_PATH = "/servers/{server_id}/shares"
_ONE = _PATH + "/{share_id}"
_RULE = "os_compute_api:os-server-shares:"
_SINCE = (2, 97)
_ADMIN = ("uuid", "share_id", "status", "export_location", "tag")
_PLAIN = ("share_id", "status", "tag")
_CREATE = fields.wrapped(
    "share",
    Field(name="share_id", schema=fields.UUID, required=True),
    Field(name="tag", schema={"type": "string", "minLength": 1, "maxLength": 36, "pattern": "^[a-zA-Z0-9-]*$"}),
)
"""A tag of virtiofs has 36 bytes at most."""


class NoSuchShare(NotFound):
    """The server has no such share (404)."""

    template = "Instance {server} has no share {share}"


class ShareTaken(Conflict):
    """The server has the share, or the tag, already (409)."""

    template = "Share '{share}' or tag '{tag}' is already associated to this server."


class ShareNotUsable(Conflict):
    """Not available, not exported, or not over NFS (409)."""

    template = "Share '{share}' cannot be attached: {reason}"


def _shown(call: Call, row: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    names = _ADMIN if whole and call.context.is_admin else _PLAIN
    return {name: row[name] for name in names}


def _of(cell: Any, server: str) -> list[Any]:
    with cell.database.read() as connection:
        return shares.of_server(connection, server)


def index(call: Call) -> Any:
    """The server's shares."""
    cell, row = finding.find(call, _RULE + "index")
    return {"shares": [_shown(call, share, whole=False) for share in _of(cell, row["uuid"])]}


def show(call: Call) -> Any:
    """One of them; administrators see where it is exported, too."""
    cell, row = finding.find(call, _RULE + "show")
    return {"share": _shown(call, _one(call, cell, row), whole=True)}


def create(call: Call) -> Any:
    """Attach a share to a server that is off."""
    cell, row = finding.find(call, _RULE + "create")
    finding.unlocked(call, row)
    lifecycle.check("attach_share", row["uuid"], row["vm_state"], row["task_state"])
    wanted = call.body["share"]
    share: Share = call.app.shares.get(call.context, wanted["share_id"])
    _check_usable(share)
    now = finding.now(call)
    made = {
        "uuid": str(uuids.uuid4()),
        "server_uuid": row["uuid"],
        "share_id": share.id,
        "status": "attaching",
        "tag": wanted.get("tag", share.id),
        "export_location": share.export,
        "protocol": share.protocol,
        "created_at": now,
        "updated_at": now,
    }

    def write(connection: Any, _seen: Any) -> None:
        for other in shares.of_server(connection, row["uuid"]):
            if other["share_id"] == share.id or other["tag"] == made["tag"]:
                raise ShareTaken(share=share.id, tag=made["tag"])
        shares.insert(connection, made)

    finding.acceptor(call).accept(call.context, cell, row, "attach_share", AttachShare(share.id), along=write)
    return {"share": _shown(call, made, whole=True)}


def _check_usable(share: Share) -> None:
    if share.status != "available":
        raise ShareNotUsable(share=share.id, reason=f"it is {share.status}, not available")
    if share.protocol != "NFS":
        raise ShareNotUsable(share=share.id, reason=f"its protocol is {share.protocol}; hosts mount NFS only")
    if share.export is None:
        raise ShareNotUsable(share=share.id, reason="it has no export location")


def delete(call: Call) -> None:
    """Detach a share from a server that is off."""
    cell, row = finding.find(call, _RULE + "delete")
    finding.unlocked(call, row)
    share = _one(call, cell, row)["share_id"]

    def write(connection: Any, _seen: Any) -> None:
        shares.set_status(connection, row["uuid"], share, "detaching", finding.now(call))

    finding.acceptor(call).accept(call.context, cell, row, "detach_share", DetachShare(share), along=write)


def _one(call: Call, cell: Any, row: Mapping[str, Any]) -> Any:
    wanted = call.params["share_id"]
    found = next((share for share in _of(cell, row["uuid"]) if share["share_id"] == wanted), None)
    if found is None:
        raise NoSuchShare(server=row["uuid"], share=wanted)
    return found


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=index, since=_SINCE, summary="List a server's shares"),
    Endpoint(
        method="POST", path=_PATH, handler=create, since=_SINCE, body=_CREATE, status=201, summary="Attach a share"
    ),
    Endpoint(method="GET", path=_ONE, handler=show, since=_SINCE, summary="Show one of a server's shares"),
    Endpoint(method="DELETE", path=_ONE, handler=delete, since=_SINCE, summary="Detach a share"),
)
