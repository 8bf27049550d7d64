"""Services: list, enable, disable, force down, delete."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, mirrors, notices
from kilonova.api.microversions import STRICT_QUERY
from kilonova.domain import service as rules
from kilonova.kit.clock import stamp
from kilonova.kit.db.rows import Row
from kilonova.kit.errors import Invalid, Unavailable
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, InvalidInput, is_uuid
from kilonova.store import aggregates, compute_nodes, hosts
from kilonova.store import services as store
from kilonova.store.cells import Cell

_UUIDS_SINCE = 53
_DOWN_CELLS_SINCE = 69


class View:
    """What rows do not say: the present moment and the zones."""

    def __init__(self, call: Call, zones: Mapping[str, str]) -> None:
        self.oldest = rules.oldest_report(call.app.clock.now(), call.app.compute.service_down_time)
        self._zones = zones
        self._default = call.app.compute.default_availability_zone
        self._internal = call.app.compute.internal_service_availability_zone

    def zone(self, row: Row) -> str:
        """The availability zone of a service's host."""
        return self._zones.get(row["host"], self._default) if row["binary"] == rules.COMPUTE else self._internal

    def is_up(self, row: Row) -> bool:
        """Does the service live?"""
        return hosts.is_up(row, self.oldest)


SERVICE = Document(
    (
        Out("id", until=(2, 52)),
        Out("id", "uuid", since=(2, 53)),
        Out("binary"),
        Out("host"),
        Out("zone", lambda row, view: view.zone(row)),
        Out("status", lambda row, _view: "disabled" if row["disabled"] else "enabled"),
        Out("state", lambda row, view: "up" if view.is_up(row) else "down"),
        Out("updated_at"),
        Out("disabled_reason"),
        Out("forced_down", since=(2, 11)),
    )
)
_NAMED = (
    Field(name="host", schema=fields.HOST, required=True),
    Field(name="binary", schema=fields.TEXT_255, required=True),
)
_REASON = {"type": "string", "minLength": 1, "maxLength": 255}
DISABLE = fields.body(*_NAMED)
DISABLE_WITH_REASON = fields.body(*_NAMED, Field(name="disabled_reason", schema=_REASON, required=True))
FORCE_DOWN = fields.body(*_NAMED, Field(name="forced_down", schema=fields.BOOLEAN, required=True))
UPDATE = fields.body(
    Field(name="status", schema={"enum": ["enabled", "disabled"]}),
    Field(name="disabled_reason", schema=_REASON),
    Field(name="forced_down", schema=fields.BOOLEAN),
)
_RULE = "os_compute_api:os-services:"
_PATH = "/os-services"


def view_of(call: Call) -> View:
    """A view with the zones as they are now; one statement."""
    with call.app.store.api.read() as connection:
        return View(call, aggregates.zones(connection))


def index(call: Call) -> Any:
    """All services; from 2.69 a cell that does not answer shows as services in state UNKNOWN."""
    shape, view = SERVICE.compile(call.version), view_of(call)
    cells = call.app.store.cells
    answers = call.app.store.ask(
        lambda connection: store.page(connection, host=call.one("host"), binary=call.one("binary")), cells
    )
    found = [shape(row, view) for rows in answers.values() for row in rows]
    for cell in answers.down:
        found.extend(_unknown(call, cell))
    return {"services": found}


def _unknown(call: Call, cell: Cell) -> list[dict[str, str]]:
    """What is known without the cell's database: its compute hosts. Raises Unavailable where versions say so."""
    if not call.at_least(_DOWN_CELLS_SINCE):
        if call.app.api.list_records_by_skipping_down_cells:
            return []
        raise Unavailable(f"Cell {cell.name} does not answer")
    if call.one("binary") not in (None, rules.COMPUTE):
        return []
    with call.app.store.api.read() as connection:
        mapped = hosts.mapped(connection, cell.id)
    wanted = call.one("host")
    return [{"binary": rules.COMPUTE, "host": host, "status": "UNKNOWN"} for host in mapped if wanted in (None, host)]


def _named(call: Call) -> tuple[Cell, Row]:
    host, binary = call.body["host"], call.body["binary"]
    answers = call.app.store.ask(lambda connection: hosts.service(connection, host, binary), call.app.store.cells)
    for cell, found in answers:
        if found is not None:
            return cell, found
    answers.whole()
    raise rules.HostBinaryNotFound(host=host, binary=binary)


def _by_uuid(call: Call) -> tuple[Cell, Row]:
    ident = call.params["service_id"]
    if not is_uuid(ident):
        raise InvalidInput(where="service_id", value=ident, reason="It must be a UUID")
    answers = call.app.store.ask(lambda connection: store.by_uuid(connection, ident), call.app.store.cells)
    for cell, found in answers:
        if found is not None:
            return cell, found
    answers.whole()
    raise rules.ServiceNotFound(service_id=ident)


def _by_number(call: Call) -> tuple[Cell, Row]:
    text = call.params["service_id"]
    try:
        ident = fields.row_number(text)
    except ValueError:
        raise InvalidInput(where="service_id", value=text, reason="It must be an integer") from None
    if ident is None:
        raise rules.ServiceNotFound(service_id=text)
    answers = call.app.store.ask(lambda connection: store.by_id(connection, ident), call.app.store.cells).whole()
    found = [(cell, row) for cell, row in answers if row is not None]
    if len(found) > 1:
        raise rules.ServiceAmbiguous(service_id=ident)
    if not found:
        raise rules.ServiceNotFound(service_id=ident)
    return found[0]


def write(call: Call, cell: Cell, row: Row, changes: Mapping[str, Any]) -> Row:
    """Change the record and tell Placement; returns it as it is now."""

    def work(connection: Any) -> list[str]:
        store.update(connection, row["uuid"], changes)
        return compute_nodes.uuids_of(connection, row["host"]) if row["binary"] == rules.COMPUTE else []

    nodes = cell.database.transact(work)
    if "disabled" in changes:
        mirrors.mark_disabled(call, nodes, disabled=changes["disabled"])
    notices.service(call, "service.update", {**row, **changes})
    return {**row, **changes}


def _status(call: Call, *, disabled: bool, reason: str | None = None) -> dict[str, Any]:
    cell, row = _named(call)
    write(call, cell, row, {"disabled": disabled, "disabled_reason": reason})
    status = "disabled" if disabled else "enabled"
    answer = {"host": row["host"], "binary": row["binary"], "status": status}
    return {"service": {**answer, "disabled_reason": reason} if reason is not None else answer}


def enable(call: Call) -> Any:
    """By host and binary. Raises HostBinaryNotFound."""
    return _status(call, disabled=False)


def disable(call: Call) -> Any:
    """By host and binary. Raises HostBinaryNotFound."""
    return _status(call, disabled=True)


def disable_with_reason(call: Call) -> Any:
    """By host and binary. Raises HostBinaryNotFound."""
    return _status(call, disabled=True, reason=call.body["disabled_reason"])


def force_down(call: Call) -> Any:
    """By host and binary. Raises HostBinaryNotFound."""
    cell, row = _named(call)
    forced = fields.truth(call.body["forced_down"])
    write(call, cell, row, {"forced_down": forced})
    return {"service": {"host": row["host"], "binary": row["binary"], "forced_down": forced}}


def update(call: Call) -> Any:
    """By UUID; compute services only. Raises ServiceNotFound, Invalid."""
    changes = _changes(call.body)
    cell, row = _by_uuid(call)
    if row["binary"] != rules.COMPUTE:
        raise Invalid(
            f"Updating a {row['binary']} service is not supported. Only {rules.COMPUTE} services can be updated."
        )
    now = stamp(call.app.clock.now())
    changed = write(call, cell, row, {**changes, "updated_at": now})
    return {"service": SERVICE.compile(call.version)(changed, view_of(call))}


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    status, reason = body.get("status"), body.get("disabled_reason")
    if status is None and "forced_down" not in body:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    if reason is not None and status != "disabled":
        raise Invalid("Specifying 'disabled_reason' is only valid when field status is 'disabled'.")
    changes: dict[str, Any] = {}
    if status is not None:
        changes |= {"disabled": status == "disabled", "disabled_reason": reason}
    if "forced_down" in body:
        changes["forced_down"] = fields.truth(body["forced_down"])
    return changes


def delete(call: Call) -> None:
    """With its compute nodes and providers. Raises ServiceNotFound, ServiceHostsServers."""
    cell, row = _by_uuid(call) if call.at_least(_UUIDS_SINCE) else _by_number(call)
    is_compute = row["binary"] == rules.COMPUTE

    def work(connection: Any) -> list[str]:
        nodes: list[str] = []
        if is_compute:
            count = store.hosted(connection, [row["host"]])
            if count:
                raise rules.ServiceHostsServers(count=count, host=row["host"])
            nodes = compute_nodes.uuids_of(connection, row["host"])
        store.delete(connection, row, with_nodes=is_compute)
        return nodes

    nodes = cell.database.transact(work)
    if is_compute:
        call.app.store.api.transact(lambda connection: aggregates.forget_host(connection, row["host"]))
        mirrors.delete(call, nodes)
    notices.service(call, "service.delete", row)


def _by_name(path: str, handler: Any, body: Any, since: tuple[int, int] = (2, 1)) -> Endpoint:
    return Endpoint(
        method="PUT",
        path=f"{_PATH}/{path}",
        handler=handler,
        since=since,
        until=(2, 52),
        rule=_RULE + "update",
        body=body,
        summary=f"{path} a service by host and binary",
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule=_RULE + "list",
        query=fields.query("host", "binary"),
        strict_query=STRICT_QUERY,
        summary="List services",
    ),
    _by_name("enable", enable, DISABLE),
    _by_name("disable", disable, DISABLE),
    _by_name("disable-log-reason", disable_with_reason, DISABLE_WITH_REASON),
    _by_name("force-down", force_down, FORCE_DOWN, (2, 11)),
    Endpoint(
        method="PUT",
        path=_PATH + "/{service_id}",
        handler=update,
        since=(2, 53),
        rule=_RULE + "update",
        body=UPDATE,
        summary="Change a compute service",
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{service_id}",
        handler=delete,
        rule=_RULE + "delete",
        status=204,
        summary="Delete a service",
    ),
)
