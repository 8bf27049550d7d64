"""``GET``, ``PUT`` and ``DELETE /servers/{server_id}``."""

from collections.abc import Sequence
from typing import Any

from kilonova.api import fields, notices
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding, gathering, polling, rendering, views
from kilonova.api.servers.listing import host_status_of
from kilonova.api.servers.schema import UPDATE, shortened
from kilonova.domain import server as states
from kilonova.kit.errors import Conflict, Unavailable
from kilonova.kit.http.document import Document
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.store import server_groups, server_mappings, servers
from kilonova.store.cells import Cell

_SHOW = "os_compute_api:servers:show"
_UPDATE = "os_compute_api:servers:update"
_DELETE = "os_compute_api:servers:delete"
_COLUMNS = {
    "name": "name",
    "description": "description",
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
    "OS-DCF:diskConfig": "disk_config",
    "hostname": "hostname",
}


def document(call: Call, row: Any, shape: Document) -> dict[str, Any]:
    """One server's document with all that it needs."""
    target = finding.target_of(row)
    details = _details(call, row, views.groups_of(call, target))
    found: list[dict[str, Any]] = views.documents(call, [row], shape, target, **details)
    return found[0]


def _details(call: Call, row: Any, seen: frozenset[str]) -> dict[str, Any]:
    """What a document needs that is not in the server's row."""
    groups: dict[str, list[str]] = {}
    if call.at_least(71) and '"group"' in row["hints"]:  # a server gets into a group by this hint alone
        with call.app.store.api.read() as connection:
            groups[row["uuid"]] = server_groups.of_server(connection, row["uuid"])
    return {"host_status": host_status_of(call, row) if "host_status" in seen else {}, "groups": groups}


def show(call: Call) -> Any:
    """One server. Its row is read whole only when there is no document of this revision at hand."""
    try:
        cell, outline = finding.find(call, _SHOW, read=servers.outline)
    except Unavailable:
        partial = _of_a_cell_that_is_down(call)
        if partial is None:
            raise
        return {"server": partial}
    target = finding.target_of(outline)
    groups = views.groups_of(call, target)
    view = views.view_of(call, target, **_details(call, outline, groups))
    made = rendering.Rendering(call, views.SHOW, view, groups).documents([outline], lambda wanted: _whole(cell, wanted))
    if not made:
        raise finding.ServerNotFound(uuid=outline["uuid"])
    return {"server": made[0]}


def _of_a_cell_that_is_down(call: Call) -> dict[str, Any] | None:
    """What the API database knows of the server, from the version on that tells it. Raises ServerNotFound."""
    uuid, store = call.params["server_id"], call.app.store
    with store.api.read() as connection:
        mapping = server_mappings.get(connection, uuid)
        groups = server_groups.of_server(connection, uuid)
    if mapping is None or not gathering.down(call, store.cell(mapping["cell_id"])):
        return None
    target = finding.target_of(finding.allowed(call, _SHOW, mapping))
    known = gathering.shown(mapping, views.view_of(call, target))
    return {**known, "server_groups": groups} if call.at_least(71) else known


def _whole(cell: Cell, uuids: Sequence[str]) -> list[Any]:
    with cell.database.read() as connection:
        return [row for uuid in uuids if (row := servers.get(connection, uuid)) is not None]


def update(call: Call) -> Any:
    """Change names and addresses."""
    cell, row = finding.find(call, _UPDATE)
    body = dict(call.body["server"])
    values = shortened({_COLUMNS[name]: value for name, value in body.items() if name in _COLUMNS})
    if "pinned_availability_zone" in body:
        values["pinned_zone"] = _pin(row, body["pinned_availability_zone"])
    if values:
        with cell.database.write() as connection:
            servers.update(connection, row["uuid"], {**values, "updated_at": finding.now(call)})
    _cell, changed = finding.find(call, _UPDATE, read=servers.get_with_service)
    return {"server": document(call, changed, views.UPDATED)}


def _pin(row: Any, zone: str | None) -> str | None:
    """Null unpins, the present zone pins; anything else would be a move."""
    if zone is not None and zone != row["availability_zone"]:
        raise Conflict(
            f"pinned_availability_zone: the server is in zone {row['availability_zone']} and cannot be pinned to {zone}"
        )
    return zone


def delete(call: Call) -> None:
    """Accept the deletion; asking again while it goes on is fine."""
    cell, row = finding.find(call, _DELETE)
    finding.unlocked(call, row)
    if row["task_state"] in ("deleting", "soft-deleting"):
        return
    soft = call.app.compute.reclaim_instance_interval > 0 and _was_running(row)
    if not (soft and row["vm_state"] == states.SOFT_DELETED):
        finding.acceptor(call).accept(call.context, cell, row, "soft_delete" if soft else "delete")


def _was_running(row: Any) -> bool:
    """There is something to restore; what never ran, or is on no host, is deleted at once."""
    return bool(row["launched_at"] and row["host"])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/servers/{server_id}",
        handler=polling.watched(show),
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a server",
    ),
    Endpoint(
        method="PUT",
        path="/servers/{server_id}",
        handler=notices.changed(update),
        body=UPDATE,
        summary="Change a server's names",
    ),
    Endpoint(method="DELETE", path="/servers/{server_id}", handler=delete, status=204, summary="Delete a server"),
)
