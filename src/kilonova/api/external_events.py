"""``POST /os-server-external-events``: what other services have to say about servers."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kilonova.api import fields
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.kit.http.schema import Array, Field, Object
from kilonova.operations import extend_volume, refresh_network
from kilonova.store import servers
from kilonova.store.cells import Cell

LOG = logging.getLogger(__name__)
_PLUGGED = "network-vif-plugged"
_EXTENDED = "volume-extended"
_REFRESHING = frozenset({"network-changed", "network-vif-unplugged", "network-vif-deleted"})
_DONE, _PARTLY, _NO_SERVER, _NOT_NOW = 200, 207, 404, 422
_NAMES = ("network-changed", _PLUGGED, "network-vif-unplugged", "network-vif-deleted")
_LATER = {51: _EXTENDED, 76: "power-update", 82: "accelerator-request-bound", 93: "volume-reimaged"}


def create(call: Call) -> Reply:
    """200 when every event was taken, else 207; the code of each event stands beside it."""
    events = call.body["events"]
    found = _servers(call, {event["server_uuid"] for event in events})
    answers = [_answer(event, found.get(event["server_uuid"])) for event in events]
    taken = [answer for answer in answers if answer["code"] == _DONE]
    _act(call, found, taken)
    return Reply({"events": answers}, status=_DONE if len(taken) == len(answers) else _PARTLY)


def _servers(call: Call, uuids: set[str]) -> dict[str, tuple[Cell, Mapping[str, Any]]]:
    found: dict[str, tuple[Cell, Mapping[str, Any]]] = {}
    for cell, rows in call.app.store.ask(lambda connection: servers.get_many(connection, uuids)):
        found.update({row["uuid"]: (cell, row) for row in rows if not row["deleted"]})
    return found


def _answer(event: Mapping[str, Any], found: tuple[Cell, Mapping[str, Any]] | None) -> dict[str, Any]:
    answer = {"status": "completed", **event, "code": _DONE}
    if found is None:
        return answer | {"code": _NO_SERVER, "status": "failed"}
    if not found[1]["host"]:
        LOG.info("Event %s for server %s, which is on no host yet", event["name"], event["server_uuid"])
        return answer | {"code": _NOT_NOW, "status": "failed"}
    if event["name"] == _EXTENDED and not event.get("tag"):
        return answer | {"code": _NO_SERVER, "status": "failed"}
    if event["name"] not in (_PLUGGED, _EXTENDED) and event["name"] not in _REFRESHING:
        LOG.warning("Event %s for server %s: its host cannot act on it", event["name"], event["server_uuid"])
        return answer | {"code": _NOT_NOW, "status": "failed"}
    return answer


def _act(call: Call, found: Mapping[str, tuple[Cell, Mapping[str, Any]]], events: Iterable[Mapping[str, Any]]) -> None:
    plugged: list[str] = []
    by_cell: dict[int, dict[str, Mapping[str, Any]]] = {}
    for event in events:
        cell, row = found[event["server_uuid"]]
        LOG.info("Event %s (%s) of server %s", event["name"], event.get("tag"), row["uuid"])
        if event["name"] == _PLUGGED:
            plugged.append(row["uuid"])
        elif event["name"] == _EXTENDED:
            call.app.bell(cell.id, extend_volume.accept(call.app.clock, call.context, cell, [(row, event["tag"])]))
        else:
            by_cell.setdefault(cell.id, {})[row["uuid"]] = row
    for cell_id, rows in by_cell.items():
        cell = call.app.store.cell(cell_id)
        refresh_network.accept(call.app.clock, call.app.bell, call.context, cell, list(rows.values()))
    if plugged:
        call.app.doorbell(sorted(set(plugged)))


def _name_fields() -> tuple[Field, ...]:
    """The names known in each stretch of versions."""
    found: list[Field] = []
    known: tuple[str, ...] = _NAMES
    since = 1
    for minor, name in [*_LATER.items(), (None, "")]:
        until = (2, minor - 1) if minor is not None else None
        found.append(Field(name="name", schema={"enum": list(known)}, required=True, since=(2, since), until=until))
        known, since = (*known, name), minor or since
    return tuple(found)


_EVENT = Object(
    (
        Field(name="server_uuid", schema=fields.UUID, required=True),
        *_name_fields(),
        Field(name="status", schema={"enum": ["failed", "completed", "in-progress"]}),
        Field(name="tag", schema=fields.TEXT_255),
    )
)
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/os-server-external-events",
        handler=create,
        rule="os_compute_api:os-server-external-events:create",
        body=fields.body(Field(name="events", schema=Array(_EVENT, {"minItems": 1}), required=True)),
        summary="Report events of servers",
    ),
)
