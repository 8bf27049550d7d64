"""Host aggregates."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.api import fields, mirrors, notices
from kilonova.api.microversions import STRICT_ALL
from kilonova.domain import aggregate as rules
from kilonova.domain.service import COMPUTE, ComputeHostNotFound
from kilonova.kit.clock import stamp
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import Field, InvalidInput
from kilonova.store import aggregates as store
from kilonova.store import compute_nodes, hosts, services
from kilonova.store.cells import Cell, Store

AGGREGATE = Document(
    (
        Out("id"),
        Out("uuid", since=(2, 41)),
        Out("name"),
        Out("availability_zone", lambda row, _view: row["metadata"].get(rules.ZONE)),
        Out("created_at"),
        Out("updated_at"),
        Out("deleted", lambda _row, _view: False),
        Out("deleted_at", lambda _row, _view: None),
        Out("hosts", group="contents"),
        Out("metadata", group="contents"),
    )
)
_CONTENTS = frozenset({"contents"})
_ZONE = fields.nullable(fields.AZ_NAME)
CREATE = fields.wrapped(
    "aggregate",
    Field(name="name", schema=fields.NAME, required=True),
    Field(name="availability_zone", schema=_ZONE),
)
UPDATE = fields.wrapped(
    "aggregate",
    Field(name="name", schema=fields.NAME),
    Field(name="availability_zone", schema=_ZONE),
    rules={"minProperties": 1},
)
_HOST = Field(name="host", schema=fields.HOST, required=True)
_METADATA = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}
_RULE = "os_compute_api:os-aggregates:"
_PATH = "/os-aggregates"
_ONE = _PATH + "/{aggregate_id}"
Aggregate = dict[str, Any]


def _ident(call: Call) -> int:
    text = call.params["aggregate_id"]
    try:
        number = fields.row_number(text)
    except ValueError:
        raise InvalidInput(where="aggregate_id", value=text, reason="It must be an integer") from None
    if number is None:
        raise rules.AggregateNotFound(aggregate_id=text)
    return number


def _view(call: Call, found: Aggregate) -> dict[str, Any]:
    return {"aggregate": AGGREGATE.compile(call.version, _CONTENTS)(found, None)}


def index(call: Call) -> Any:
    """All aggregates."""
    shape = AGGREGATE.compile(call.version, _CONTENTS)
    with call.app.store.api.read() as connection:
        return {"aggregates": [shape(found, None) for found in store.page(connection)]}


def aggregate_of(call: Call) -> Aggregate:
    """The aggregate of the path. Raises AggregateNotFound."""
    with call.app.store.api.read() as connection:
        return store.find(connection, _ident(call))


def show(call: Call) -> Any:
    """One aggregate. Raises AggregateNotFound."""
    return _view(call, aggregate_of(call))


def create(call: Call) -> Any:
    """Raises AggregateNameExists."""
    wanted = call.body["aggregate"]
    zone = wanted.get("availability_zone")
    values = {"uuid": str(uuid.uuid4()), "name": wanted["name"], "created_at": stamp(call.app.clock.now())}
    metadata = {rules.ZONE: zone} if zone is not None else {}
    found = call.app.store.api.transact(lambda connection: store.create(connection, values, metadata))
    return {"aggregate": AGGREGATE.compile(call.version)(found, None)}


def _change(call: Call, action: str, change: Callable[[Any, Aggregate], Mapping[str, Any]]) -> Any:
    """One transaction on the locked aggregate: ``change`` gives the columns to write."""
    now, ident = stamp(call.app.clock.now()), _ident(call)

    def work(connection: Any) -> Aggregate:
        found = store.find(connection, ident, lock=True)
        columns = change(connection, found)
        if "metadata" in columns:
            _check_zone(call, connection, found, columns["metadata"], action)
        store.update(connection, ident, {**columns, "updated_at": now})
        return store.find(connection, ident)

    return _view(call, call.app.store.api.transact(work))


def _check_zone(call: Call, connection: Any, found: Aggregate, metadata: Mapping[str, str], action: str) -> None:
    """Raises ZoneChangeRefused."""
    zone, members = metadata.get(rules.ZONE), found["hosts"]
    if zone == found["metadata"].get(rules.ZONE) or not members:
        return
    if zone is not None:
        others = _in_other_zones(connection, found["id"], members, zone)
        if others:
            reason = f"Host(s) {', '.join(others)} already in other zones"
            raise rules.ZoneChangeRefused(action=action, aggregate_id=found["id"], reason=reason)
    if _carry_servers(call, members):
        reason = "One or more hosts contain instances in this zone"
        raise rules.ZoneChangeRefused(action=action, aggregate_id=found["id"], reason=reason)


def _in_other_zones(connection: Any, aggregate_id: int, members: Sequence[str], zone: str) -> list[str]:
    zones = store.zones_elsewhere(connection, aggregate_id, members)
    return sorted(host for host, other in zones.items() if other != zone)


def _carry_servers(call: Call, members: Sequence[str]) -> bool:
    store_of_all = call.app.store
    answers = store_of_all.ask(lambda connection: services.hosted(connection, members), store_of_all.working)
    return any(answers.whole().values())


def update(call: Call) -> Any:
    """Name and zone. Raises AggregateNotFound, AggregateNameExists, ZoneChangeRefused."""
    wanted = call.body["aggregate"]

    def change(_connection: Any, found: Aggregate) -> Mapping[str, Any]:
        columns: dict[str, Any] = {"name": wanted.get("name", found["name"])}
        if "availability_zone" in wanted:
            columns["metadata"] = _merged(found["metadata"], {rules.ZONE: wanted["availability_zone"]})
        return columns

    return _change(call, "update aggregate", change)


def set_metadata(call: Call) -> Any:
    """Merge; null removes a key. Raises AggregateNotFound, ZoneChangeRefused."""
    wanted = call.body["metadata"]
    return _change(
        call,
        "update aggregate metadata",
        lambda _connection, found: {"metadata": _merged(found["metadata"], wanted)},
    )


def _merged(metadata: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**metadata, **changes}.items() if value is not None}


def delete(call: Call) -> None:
    """Raises AggregateNotFound, AggregateNotEmpty."""
    ident = _ident(call)

    def work(connection: Any) -> None:
        if store.find(connection, ident, lock=True)["hosts"]:
            raise rules.AggregateNotEmpty(aggregate_id=ident)
        store.delete(connection, ident)

    call.app.store.api.transact(work)


def _cell_of(call: Call, host: str) -> Cell:
    """Raises ComputeHostNotFound."""
    cells: Store = call.app.store
    answers = cells.ask(lambda connection: hosts.service(connection, host, COMPUTE), cells.working)
    for cell, found in answers:
        if found is not None:
            return cell
    answers.whole()
    raise ComputeHostNotFound(host=host)


def _providers(cell: Cell, host: str) -> list[str]:
    with cell.database.read() as connection:
        return compute_nodes.uuids_of(connection, host)


def add_host(call: Call) -> Any:
    """Raises AggregateNotFound, ComputeHostNotFound, AggregateHostExists, HostInOtherZone, HostHasServers."""
    host, ident, now = call.body["host"], _ident(call), stamp(call.app.clock.now())

    def work(connection: Any) -> tuple[Cell, Aggregate]:
        found = store.find(connection, ident, lock=True)
        cell = _cell_of(call, host)
        _check_join(call, connection, found, host)
        store.add_host(connection, ident, host)
        store.update(connection, ident, {"updated_at": now})
        return cell, store.find(connection, ident)

    cell, found = call.app.store.api.transact(work)
    mirrors.join(call, _providers(cell, host), found["uuid"])
    return _view(call, found)


def _check_join(call: Call, connection: Any, found: Aggregate, host: str) -> None:
    zone = found["metadata"].get(rules.ZONE)
    if zone is None or host in found["hosts"]:
        return
    current = store.zones_elsewhere(connection, found["id"], [host]).get(host)
    if current not in (None, zone):
        raise rules.HostInOtherZone(action="add_host_to_aggregate", aggregate_id=found["id"], hosts=host)
    if current is None and zone != call.app.compute.default_availability_zone and _carry_servers(call, [host]):
        raise rules.HostHasServers(action="add_host_to_aggregate", aggregate_id=found["id"])


def remove_host(call: Call) -> Any:
    """Raises AggregateNotFound, ComputeHostNotFound, AggregateHostNotFound, HostHasServers."""
    host, ident, now = call.body["host"], _ident(call), stamp(call.app.clock.now())

    def work(connection: Any) -> tuple[Cell, Aggregate]:
        found = store.find(connection, ident, lock=True)
        cell = _cell_of(call, host)
        store.remove_host(connection, ident, host)
        zone = found["metadata"].get(rules.ZONE)
        leaves = zone is not None and store.zones_elsewhere(connection, ident, [host]).get(host) != zone
        if leaves and zone != call.app.compute.default_availability_zone and _carry_servers(call, [host]):
            raise rules.HostHasServers(action="remove_host_from_aggregate", aggregate_id=ident)
        store.update(connection, ident, {"updated_at": now})
        return cell, store.find(connection, ident)

    cell, found = call.app.store.api.transact(work)
    mirrors.leave(call, _providers(cell, host), found["uuid"])
    return _view(call, found)


def _action(name: str, handler: Any, argument: Field) -> Endpoint:
    return Endpoint(
        method="POST",
        path=_ONE + "/action",
        action=name,
        handler=notices.telling(handler, f"aggregate.{name.replace('set', 'update')}", notices.aggregate),
        rule=_RULE + name,
        body=fields.wrapped(name, argument),
        summary=f"{name} of an aggregate",
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        handler=index,
        rule=_RULE + "index",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="List aggregates",
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        handler=notices.telling(create, "aggregate.create", notices.aggregate),
        rule=_RULE + "create",
        body=CREATE,
        summary="Create an aggregate",
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        handler=show,
        rule=_RULE + "show",
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show an aggregate",
    ),
    Endpoint(
        method="PUT",
        path=_ONE,
        handler=notices.telling(update, "aggregate.update_prop", notices.aggregate),
        rule=_RULE + "update",
        body=UPDATE,
        summary="Change an aggregate",
    ),
    Endpoint(
        method="DELETE",
        path=_ONE,
        handler=notices.telling(delete, "aggregate.delete", notices.aggregate),
        rule=_RULE + "delete",
        summary="Delete an aggregate",
    ),
    _action("add_host", add_host, _HOST),
    _action("remove_host", remove_host, _HOST),
    _action("set_metadata", set_metadata, Field(name="metadata", schema=_METADATA, required=True)),
)
