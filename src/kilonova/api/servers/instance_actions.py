"""``/servers/{server_id}/os-instance-actions``: the journal as users see it."""

from collections.abc import Mapping
from typing import Any

from kilonova.api import fields, links
from kilonova.api.microversions import STRICT_ALL
from kilonova.api.servers import finding
from kilonova.api.servers.listing import moment
from kilonova.api.servers.views import host_id
from kilonova.domain.lifecycle import HIDDEN, LIFECYCLE
from kilonova.kit.errors import NotFound
from kilonova.kit.http import paging
from kilonova.kit.http.document import Document, Out
from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.kit.http.schema import InvalidInput
from kilonova.store import operations

_RULES = "os_compute_api:os-instance-actions:"
_ERROR_TEXT = "Error"


class ActionNotFound(NotFound):
    """No action of this server came with this request."""

    template = "Action for request_id {request_id} on instance {uuid} not found"


def _name(row: Mapping[str, Any], _view: Any) -> str:
    known = LIFECYCLE.get(row["verb"])
    return known.action_name if known else str(row["verb"])


_BRIEF = (
    Out("action", _name),
    Out("instance_uuid", "server_uuid"),
    Out("request_id"),
    Out("user_id"),
    Out("project_id"),
    Out("start_time", "created_at"),
    Out("message", lambda row, _view: _ERROR_TEXT if row["state"] == "failed" else None),
    Out("updated_at", since=(2, 58)),
)
LIST = Document(_BRIEF)
_EVENT = Document(
    (
        Out("event", "event"),
        Out("start_time", "started_at"),
        Out("finish_time", "finished_at"),
        Out("result", lambda step, _view: _result(step)),
        Out("traceback", lambda _step, _view: None, group="traceback"),
        Out("hostId", lambda step, view: host_id(view, step["host"]), since=(2, 62)),
        Out("host", "host", since=(2, 62), group="host"),
        Out("details", lambda step, _view: step["error"], since=(2, 84), group="details"),
    )
)


def _result(step: Mapping[str, Any]) -> str | None:
    if step["finished_at"] is None:
        return None
    return "Error" if step["error"] else "Success"


def index(call: Call) -> Any:
    """Newest first."""
    cell, row = finding.find(call, _RULES + "list", deleted=call.at_least(21))
    limit = paging.limit_of(call, call.app.api.max_limit) if call.at_least(58) else call.app.api.max_limit
    with cell.database.read() as connection:
        found = operations.of_server(connection, row["uuid"], HIDDEN)
    found = _narrowed(call, found, row["uuid"])
    shape = LIST.compile(call.version)
    page = found[:limit]
    body: dict[str, Any] = {"instanceActions": [shape(entry, None) for entry in page]}
    if call.at_least(58) and page and len(found) > len(page):
        path = f"servers/{row['uuid']}/os-instance-actions"
        body["links"] = links.page_link(call, path, page[-1]["request_id"])
    return body


def _narrowed(call: Call, found: list[Any], uuid: str) -> list[Any]:
    since, before, marker = call.one("changes-since"), call.one("changes-before"), call.one("marker")
    if since:
        first = moment("changes-since", since)
        found = [row for row in found if row["updated_at"] >= first]
    if before:
        last = moment("changes-before", before)
        found = [row for row in found if row["updated_at"] <= last]
    if marker:
        places = [place for place, row in enumerate(found) if row["request_id"] == marker]
        if not places:
            raise InvalidInput(where="query parameters marker", value=marker, reason=f"{uuid} has none such")
        found = found[places[-1] + 1 :]
    return found


def show(call: Call) -> Any:
    """One action with its events."""
    cell, row = finding.find(call, _RULES + "show", deleted=call.at_least(21))
    wanted = call.params["request_id"]
    with cell.database.read() as connection:
        found = [o for o in operations.of_server(connection, row["uuid"], HIDDEN) if o["request_id"] == wanted]
        if not found:
            raise ActionNotFound(request_id=wanted, uuid=row["uuid"])
        steps = operations.steps_of(connection, [found[0]["id"]])
    document = LIST.compile(call.version)(found[0], None)
    target = finding.target_of(row)
    admin = call.allow(_RULES + "events", target)
    if admin or call.at_least(51):
        document["events"] = _events(call, found[0], steps, row, admin=admin)
    return {"instanceAction": document}


def _events(call: Call, operation: Any, steps: list[Any], row: Any, *, admin: bool) -> list[Any]:
    groups = {"traceback", "host"} if admin else set()
    if call.allow(_RULES + "events:details", finding.target_of(row)):
        groups.add("details")
    shape = _EVENT.compile(call.version, frozenset(groups))
    known = LIFECYCLE.get(operation["verb"])
    main = known.event if known else ""
    return [
        shape(
            {**step, "event": _event_name(step["name"], main)},
            row["project_id"],
        )
        for step in reversed(steps)
    ]


def _event_name(step: str, main: str) -> str:
    """A verb's main step has the verb's event; a step that is another verb's says which."""
    if step.startswith("compute_"):
        return step
    return main if step.startswith("host") and main else f"conductor_{step}"


_QUERY = fields.query(
    fields.key("limit", since=(2, 58)),
    fields.key("marker", since=(2, 58)),
    fields.key("changes-since", since=(2, 58)),
    fields.key("changes-before", since=(2, 66)),
)
_PATH = "/servers/{server_id}/os-instance-actions"
ENDPOINTS = (
    Endpoint(
        method="GET", path=_PATH, handler=index, query=_QUERY, strict_query=(2, 58), summary="List a server's actions"
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{request_id}",
        handler=show,
        query=fields.no_query(),
        strict_query=STRICT_ALL,
        summary="Show an action with its events",
    ),
)
