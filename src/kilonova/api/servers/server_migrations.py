"""``/servers/{server_id}/migrations``: a server's live migration while it is under way."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, links, notices
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.domain import migration as kinds
from kilonova.domain.lifecycle import WrongState
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, Object, Schema
from kilonova.store import moves
from kilonova.store.cells import Cell

_RULES = "os_compute_api:servers:migrations:"
_PATH = "/servers/{server_id}/migrations"
_ONE = _PATH + "/{migration_id}"
_ABORT_EARLY_SINCE = 65


class View:
    """Whose eyes, and where the links lead."""

    def __init__(self, call: Call, *, hosts: bool) -> None:
        self.hosts = hosts
        self._call = call

    def links(self, row: Mapping[str, Any]) -> list[dict[str, str]]:
        """Of the server's own record of it."""
        return links.linker(self._call, f"servers/{row['server_uuid']}/migrations")(str(row["id"]))


def host_field(name: str) -> Out:
    """A field that says where: null to those who may not know."""
    return Out(name, lambda row, view: row[name] if view.hosts else None)


PLACES = tuple(host_field(name) for name in ("dest_compute", "dest_host", "dest_node", "source_compute", "source_node"))
OWNERS = (Out("uuid", since=(2, 59)), Out("user_id", since=(2, 80)), Out("project_id", since=(2, 80)))
_COUNTERS = tuple(
    Out(f"{what}_{which}_bytes", f"{what}_{which}")
    for what in ("memory", "disk")
    for which in ("total", "processed", "remaining")
)
_ENTRY = Document(
    (
        Out("id"),
        Out("server_uuid"),
        *PLACES,
        Out("status"),
        *_COUNTERS,
        Out("created_at"),
        Out("updated_at"),
        *OWNERS,
    )
)


def index(call: Call) -> Any:
    """At most one."""
    cell, row = finding.find(call, _RULES + "index")
    with cell.database.read() as connection:
        found = moves.of_server(connection, row["uuid"], kinds.LIVE_RUNNING)
    shape = _ENTRY.compile(call.version)
    view = View(call, hosts=call.allow(_RULES + "index:host", finding.target_of(row)))
    return {"migrations": [shape(record, view) for record in found if record["kind"] == kinds.LIVE]}


def show(call: Call) -> Any:
    """One that is under way."""
    cell, row = finding.find(call, _RULES + "show")
    record = _record(call, cell, row)
    if record["kind"] != kinds.LIVE or record["status"] not in kinds.LIVE_RUNNING:
        raise kinds.NotUnderWay(migration_id=record["id"], uuid=row["uuid"])
    return {"migration": _ENTRY.compile(call.version)(record, View(call, hosts=True))}


def _record(call: Call, cell: Cell, row: Any) -> Any:
    """Raises MigrationNotFound."""
    wanted = call.params["migration_id"]
    try:
        number = fields.row_number(wanted)
    except ValueError:
        number = None
    if number is not None:
        with cell.database.read() as connection:
            record = moves.by_number(connection, row["uuid"], number)
        if record is not None:
            return record
    raise kinds.MigrationNotFound(migration_id=wanted)


def abort(call: Call) -> None:
    """Call it off; the server stays where it is."""
    early = {"queued", "preparing"} if call.at_least(_ABORT_EARLY_SINCE) else set()
    _ask(call, "delete", "live_migration_cancel", early, {"cancel": True})


def force_complete(call: Call) -> None:
    """Let it end soon, at the price of a pause or of post-copy."""
    _ask(call, "force_complete", "live_migration_force_complete", set(), {"force_complete": True})


def _ask(call: Call, rule: str, verb: str, early: set[str], wish: dict[str, bool]) -> None:
    """Write the wish; the source host reads it with its next report. Raises WrongState, WrongMigrationState."""
    cell, row = finding.find(call, _RULES + rule)
    finding.unlocked(call, row)
    if row["task_state"] != "migrating":
        raise WrongState(action=verb, uuid=row["uuid"], attribute="task_state", state=row["task_state"])
    record = _record(call, cell, row)
    if record["kind"] != kinds.LIVE or record["status"] not in {"running"} | early:
        raise kinds.WrongMigrationState(
            migration_id=record["id"], uuid=row["uuid"], state=record["status"], action=verb.replace("_", " ")
        )
    finding.acceptor(call).note(call.context, cell, row, verb, {})
    with cell.database.write() as connection:
        moves.update(connection, record["uuid"], wish)


_FORCE = Schema(Object((Field(name="force_complete", schema={"type": "null"}, required=True),)))
ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        since=(2, 23),
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List a server's live migrations under way",
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        handler=show,
        since=(2, 23),
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show a live migration under way",
    ),
    Endpoint(
        method="DELETE",
        path=_ONE,
        handler=notices.for_host("instance.live_migration_abort", abort),
        since=(2, 24),
        status=202,
        summary="Abort a live migration",
    ),
    Endpoint(
        method="POST",
        path=_ONE + "/action",
        action="force_complete",
        handler=notices.for_host("instance.live_migration_force_complete", force_complete),
        body=_FORCE,
        since=(2, 22),
        status=202,
        summary="Let a live migration end",
    ),
)
